// A steady round on real models does not allocate. llama.cpp allocates inside its own calls, which
// is not ours to change: this executable puts itself between the engine and llama.cpp, passes every
// call on, and does not count what happens in there.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <llama.h>

#include <memory>

#include "gelato/base/log.h"
#include "gelato/engine/backend.h"
#include "gelato/engine/model_drafter.h"
#include "gelato/engine/model_verifier.h"
#include "tests/support/allocation_count.h"

namespace {

std::size_t decodes_seen = 0;

template <class F, class... Args>
auto pass_on(const char* name, Args... args) {
  auto* real = reinterpret_cast<F*>(dlsym(RTLD_NEXT, name));
  gelato::toy::allocations_of_others = true;
  const auto result = real(args...);
  gelato::toy::allocations_of_others = false;
  return result;
}

}  // namespace

extern "C" {
std::int32_t llama_decode(llama_context* context, llama_batch batch) {
  ++decodes_seen;
  return pass_on<std::int32_t(llama_context*, llama_batch)>("llama_decode", context, batch);
}
bool llama_memory_seq_rm(llama_memory_t memory, llama_seq_id id, llama_pos from, llama_pos to) {
  return pass_on<bool(llama_memory_t, llama_seq_id, llama_pos, llama_pos)>("llama_memory_seq_rm",
                                                                           memory, id, from, to);
}
float* llama_get_logits_ith(llama_context* context, std::int32_t i) {
  return pass_on<float*(llama_context*, std::int32_t)>("llama_get_logits_ith", context, i);
}
}

namespace gelato::engine {
namespace {

struct Pair {
  std::unique_ptr<LanguageModel> model;
  std::unique_ptr<Context> context;
};

Pair load(const Backend& backend, const char* path, std::uint32_t rows) {
  Pair out;
  out.model = LanguageModel::load(backend, path).value();
  out.context = Context::create(*out.model, {.max_rows = rows, .pool = {}}).value();
  return out;
}

void one_round(ModelDrafter& drafter, ModelVerifier& verifier, spec::Draft& draft) {
  draft.clear();
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(drafter.draft_one(draft, 0.0F).has_value());
  }
  const auto verdict = verifier.verify(draft);
  ASSERT_TRUE(verdict.has_value());
  ASSERT_TRUE(drafter.commit(verdict->accepted, verdict->next).has_value());
}

TEST(Allocations, NoneInASteadyRound) {
  NullLog log;
  const auto backend = Backend::create(log).value();
  const Pair target = load(*backend, "assets/models/gelato-tale-6m-q8_0.gguf", 65);
  const Pair drafting = load(*backend, "assets/models/gelato-tale-3m-q8_0.gguf", 1);
  const auto prompt = target.model->tokenize("Once upon a time", true, false).value();
  for (const SamplerParams& params :
       {SamplerParams{}, SamplerParams{.temperature = 1.0},
        SamplerParams{.temperature = 0.8, .top_k = 40, .top_p = 0.95, .min_p = 0.01}}) {
    ModelDrafter drafter(*drafting.context, params, 4096, 1);
    ModelVerifier verifier(*target.context, params, 1);
    ASSERT_TRUE(drafter.start(prompt).has_value());
    ASSERT_TRUE(verifier.start(prompt).has_value());
    spec::Draft draft;
    for (int i = 0; i < 40; ++i) {  // rows and buffers find their size
      one_round(drafter, verifier, draft);
    }
    const std::size_t decodes_before = decodes_seen;
    const std::size_t allocations = toy::count_allocations([&] {
      for (int i = 0; i < 60; ++i) {
        one_round(drafter, verifier, draft);
      }
    });
    EXPECT_EQ(allocations, 0U) << "temperature " << params.temperature << ", top-k "
                               << params.top_k;
    EXPECT_EQ(decodes_seen - decodes_before, 60U * 5U) << "the calls did not pass through here";
  }
}

}  // namespace
}  // namespace gelato::engine
