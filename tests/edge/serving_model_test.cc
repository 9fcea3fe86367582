// The real server with the bundled models: texts over the wire are what the target writes alone.
//
// The one exception that arithmetic allows: where the target's two largest logits are closer than
// engine::kLogitTolerance, a pass of another shape may order them differently. Such places are
// counted and printed; any other difference fails.
#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gelato/base/clock.h"
#include "gelato/base/log.h"
#include "gelato/edge/edge_server.h"
#include "gelato/engine/backend.h"
#include "gelato/engine/model_drafter.h"
#include "gelato/engine/model_verifier.h"
#include "gelato/proto/row_code.h"
#include "gelato/spec/verify.h"
#include "tests/edge/raw_device.h"
#include "tests/support/prompts.h"

namespace gelato::edge {
namespace {

constexpr std::size_t kTokens = 96;

class BundledEdge : public ::testing::Test {
 protected:
  BundledEdge() {
    backend_ = std::move(*engine::Backend::create(log_));
    target_ = load("assets/models/gelato-tale-6m-q8_0.gguf");
    draft_ = load("assets/models/gelato-tale-3m-q8_0.gguf");
  }
  std::unique_ptr<engine::LanguageModel> load(const std::string& path) {
    auto model = engine::LanguageModel::load(*backend_, path);
    EXPECT_TRUE(model.has_value()) << model.error().message;
    return std::move(*model);
  }
  // An edge with so many cells in its cache.
  void start(std::uint32_t cells) {
    server_.reset();
    context_ = std::move(*engine::Context::create(
        *target_, {.tokens = cells, .sequences = 16, .max_rows = 256, .pool = {}}));
    context_target_ = std::make_unique<ContextTarget>(*context_);
    ServerOptions options;
    options.listen = "127.0.0.1:0";
    options.scheduler.admission = {.sessions = 8, .sessions_per_client = 8, .overcommit = 8.0};
    options.scheduler.context_tokens = target_->info().context_length;
    auto server =
        EdgeServer::start(*context_target_, *ServedModel::of(*target_), options, clock_, log_);
    ASSERT_TRUE(server.has_value()) << server.error().message;
    server_ = std::move(*server);
  }
  proto::Open open(const std::vector<spec::Token>& prompt, proto::WireMode mode) const {
    proto::Open out;
    out.n_vocab = target_->info().vocabulary_size;
    out.common_vocab = draft_->info().vocabulary_size;
    out.vocabulary_fingerprint = spec::fingerprint(draft_->vocabulary());
    out.mode = mode;
    out.sampling.temperature = mode == proto::WireMode::kIds ? 0.0 : 0.8;
    out.sampling.top_k = 40;
    out.rows.n_vocab = out.n_vocab;
    out.seed = 7;
    out.tokens = prompt;
    return out;
  }
  [[nodiscard]] std::vector<std::vector<spec::Token>> prompts(std::size_t n) const {
    std::vector<std::vector<spec::Token>> out;
    for (const std::string& text : testing::prompts(n)) {
      out.push_back(*target_->tokenize(text, true, false));
    }
    return out;
  }

  // Drafts with the real draft model, in rounds of `gamma`; the tokens written.
  std::vector<spec::Token> write(const std::vector<spec::Token>& prompt, std::size_t gamma) {
    const auto context =
        std::move(*engine::Context::create(*draft_, {.tokens = 512, .max_rows = 1, .pool = {}}));
    engine::ModelDrafter drafter(*context, {}, draft_->info().vocabulary_size, 7);
    EXPECT_TRUE(drafter.start(prompt).has_value());
    RawDevice device(connect(server_->port()));
    device.open(open(prompt, proto::WireMode::kIds));
    std::vector<spec::Token> text = prompt;
    proto::Draft request;
    for (std::uint32_t round = 0; text.size() < prompt.size() + kTokens; ++round) {
      request.place = {
          .after = round, .base = static_cast<std::uint32_t>(text.size()), .drawn = {}};
      request.draft.clear();
      while (request.draft.size() < gamma) {
        EXPECT_TRUE(drafter.draft_one(request.draft, 0.0F).has_value());
      }
      const auto verdict = device.verify(request);
      if (!verdict.next) {
        ADD_FAILURE() << "no verdict";
        return {};
      }
      const auto stands = request.draft.tokens().first(verdict.accepted);
      text.insert(text.end(), stands.begin(), stands.end());
      text.push_back(*verdict.next);
      EXPECT_TRUE(drafter.commit(verdict.accepted, *verdict.next).has_value());
    }
    device.send(proto::Close{});
    device.end();
    return {text.begin() + std::ptrdiff_t(prompt.size()),
            text.begin() + std::ptrdiff_t(prompt.size() + kTokens)};
  }
  // Whether `text` is the target's own, up to the first place that is too close to call.
  void expect_targets_own(const std::vector<spec::Token>& prompt,
                          const std::vector<spec::Token>& text, int& near_ties) {
    const auto context =
        std::move(*engine::Context::create(*target_, {.tokens = 512, .max_rows = 1, .pool = {}}));
    engine::ModelVerifier alone(*context, {}, 0);
    ASSERT_TRUE(alone.start(prompt).has_value());
    for (std::size_t i = 0; i < text.size(); ++i) {
      const auto verdict = alone.verify({});
      ASSERT_TRUE(verdict.has_value());
      if (verdict->next != text[i]) {
        ASSERT_LT(alone.last_logit_gap(), engine::kLogitTolerance) << "token " << i;
        ++near_ties;
        return;
      }
    }
  }
  // All prompts at once, each from its own thread and connection.
  void expect_lossless(const std::vector<std::vector<spec::Token>>& prompts, std::size_t gamma) {
    std::vector<std::vector<spec::Token>> texts(prompts.size());
    std::vector<std::thread> devices;
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      devices.emplace_back([&, i] { texts[i] = write(prompts[i], gamma); });
    }
    for (std::thread& device : devices) {
      device.join();
    }
    int near_ties = 0;
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      expect_targets_own(prompts[i], texts[i], near_ties);
    }
    std::printf("%zu texts of %zu tokens, %d near-ties\n", prompts.size(), kTokens, near_ties);
  }

  NullLog log_;
  SteadyClock clock_;
  std::unique_ptr<engine::Backend> backend_;
  std::unique_ptr<engine::LanguageModel> target_;
  std::unique_ptr<engine::LanguageModel> draft_;
  std::unique_ptr<engine::Context> context_;
  std::unique_ptr<ContextTarget> context_target_;
  std::unique_ptr<EdgeServer> server_;
};

TEST_F(BundledEdge, GreedyTextsAreTheTargetsOwn) {
  start(4096);
  expect_lossless(prompts(4), 4);
  expect_lossless(prompts(4), 8);
  EXPECT_GT(server_->metrics().accepted, server_->metrics().drafted / 4);
}

// Eight texts of about 120 tokens in a cache of 512: they push each other out all the time.
TEST_F(BundledEdge, AlsoWhenTheCacheIsTooSmall) {
  start(512);
  expect_lossless(prompts(8), 4);
  EXPECT_GT(server_->metrics().evictions, 0U);
}

TEST_F(BundledEdge, APromptIsComputedOnce) {
  start(4096);
  const auto prompt = prompts(1)[0];
  RawDevice first(connect(server_->port()));
  EXPECT_EQ(first.open(open(prompt, proto::WireMode::kIds)).reused, 0U);
  RawDevice second(connect(server_->port()));
  EXPECT_EQ(second.open(open(prompt, proto::WireMode::kIds)).reused, prompt.size() - 1);
  const auto ask = RawDevice::draft(0, static_cast<std::uint32_t>(prompt.size()), {});
  EXPECT_EQ(first.verify(ask).next, second.verify(ask).next);
}

// A real vocabulary and real rows through both sampling modes.
TEST_F(BundledEdge, SamplesInBothModes) {
  start(4096);
  const auto prompt = prompts(1)[0];
  for (const auto mode : {proto::WireMode::kQRow, proto::WireMode::kDssd}) {
    const auto context =
        std::move(*engine::Context::create(*draft_, {.tokens = 512, .max_rows = 1, .pool = {}}));
    const proto::Open terms = open(prompt, mode);
    engine::ModelDrafter drafter(*context, {.temperature = 0.8, .top_k = 40},
                                 draft_->info().vocabulary_size, 7);
    ASSERT_TRUE(drafter.start(prompt).has_value());
    const auto codec = *spec::DistCodec::create(terms.rows);
    RawDevice device(connect(server_->port()));
    device.open(terms);
    auto base = static_cast<std::uint32_t>(prompt.size());
    std::optional<spec::Token> drawn;
    std::uint32_t accepted = 0;
    Rng choice(7, "draft rows");
    for (std::uint32_t round = 0; round < 30; ++round) {
      proto::Draft request;
      request.place = {.after = round, .base = base, .drawn = drawn};
      ASSERT_TRUE(drafter.draft_one(request.draft, 0.0F).has_value());
      spec::SparseDist row = request.draft.rows()[0];
      if (mode == proto::WireMode::kQRow) {  // one token, drawn from the quantised row
        codec.quantise(row);
        const spec::Token token = row.sample(choice.uniform());
        request.draft.clear();
        request.draft.push(token) = row;
      } else {
        request.q = {row.prob(request.draft.tokens()[0])};
      }
      const auto verdict = device.verify(request);
      ASSERT_FALSE(HasFailure());
      drawn.reset();
      spec::Token next = verdict.next.value_or(0);
      if (!verdict.row.empty()) {
        const auto p = proto::decode_row(verdict.row, terms.n_vocab);
        ASSERT_TRUE(p.has_value());
        EXPECT_LE(p->size(), 40U);
        Rng rng(terms.seed, stream_id("verify"), 2 * std::uint64_t{base} + 1);
        drawn = next = spec::sample_residual(*p, row, rng.uniform());
      }
      accepted += verdict.accepted;
      base += verdict.accepted + 1;
      // In qrow the drafter has drawn another token of that row than the one sent.
      if (verdict.accepted == 1) {
        ASSERT_TRUE(drafter.commit(0, request.draft.tokens()[0]).has_value());
      }
      ASSERT_TRUE(drafter.commit(0, next).has_value());
    }
    EXPECT_GT(accepted, 8U);
    EXPECT_LT(accepted, 30U);
  }
}

}  // namespace
}  // namespace gelato::edge
