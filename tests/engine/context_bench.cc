// Cost of one pass over n tokens with n rows of logits, at a context of 100: the curve that decides
// whether speculation pays on a machine. Run from the repository's root.
#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

#include "gelato/base/log.h"
#include "gelato/engine/backend.h"
#include "gelato/engine/context.h"

namespace {

using namespace gelato;

void pass(benchmark::State& state, const char* path) {
  NullLog log;
  static const auto backend = engine::Backend::create(log).value();
  const auto model = engine::LanguageModel::load(*backend, path).value();
  const auto context = engine::Context::create(*model, {.pool = {}}).value();
  engine::Sequence sequence(*context, 0);
  const std::vector<spec::Token> text(100, 300);
  const std::vector<spec::Token> more(static_cast<std::size_t>(state.range(0)), 301);
  if (!sequence.append(text, 0)) {
    state.SkipWithError("cannot decode");
  }
  for (auto _ : state) {
    const auto ok = sequence.append(more, static_cast<std::uint32_t>(more.size())).has_value() &&
                    sequence.truncate(100).has_value();
    if (!ok) {
      state.SkipWithError("cannot decode");
    }
  }
}
BENCHMARK_CAPTURE(pass, target_6m, "assets/models/gelato-tale-6m-q8_0.gguf")
    ->DenseRange(1, 9)
    ->Arg(17)
    ->Arg(33);
BENCHMARK_CAPTURE(pass, draft_3m, "assets/models/gelato-tale-3m-q8_0.gguf")->Arg(1)->Arg(2);
BENCHMARK_CAPTURE(pass, draft_1m, "assets/models/gelato-tale-1m-q8_0.gguf")->Arg(1)->Arg(2);

}  // namespace
