// The round loop on enumerable models: order of calls, limits, origins, no allocation.
#include "gelato/device/round_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "tests/support/allocation_count.h"
#include "tests/support/toy_model.h"

namespace gelato::device {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using toy::ToyDrafter;
using toy::ToyModel;
using toy::ToyVerifier;

const std::vector<spec::Token> kPrompt = {0, 1};

class Collect final : public TokenSink {
 public:
  bool on_commit(std::span<const CommittedToken> tokens) override {
    for (const CommittedToken& token : tokens) {
      text.push_back(token.token);
      origins.push_back(token.origin);
    }
    return text.size() < enough;
  }
  std::vector<spec::Token> text;
  std::vector<Origin> origins;
  std::size_t enough = static_cast<std::size_t>(-1);
};

// Plays back wishes and checks that the loop keeps the order of calls.
class ScriptedPolicy final : public control::Policy {
 public:
  explicit ScriptedPolicy(std::uint32_t want, std::uint32_t keep = control::kMaxDraftLength)
      : want_(want), keep_(keep) {}
  control::RoundPlan begin_round(const control::RoundContext& context) override {
    EXPECT_FALSE(open_) << "begin_round twice";
    EXPECT_EQ(context.round, rounds);
    open_ = true;
    bounds.push_back(context.max_draft);
    control::RoundPlan plan;
    plan.max_draft = want_;
    return plan;
  }
  bool keep_drafting(const control::DraftState& state) override {
    EXPECT_TRUE(open_);
    EXPECT_LT(state.drafted, state.max_draft) << "asked although the bound is reached";
    return state.drafted < keep_;
  }
  void end_round(const control::RoundOutcome& outcome) override {
    EXPECT_TRUE(open_) << "end_round without begin_round";
    open_ = false;
    ++rounds;
    unanswered += outcome.answered ? 0 : 1;
    EXPECT_LE(outcome.accepted, outcome.drafted);
    committed += outcome.committed;
  }
  [[nodiscard]] std::string name() const override { return "scripted"; }

  std::uint64_t rounds = 0;
  std::uint64_t unanswered = 0;
  std::uint64_t committed = 0;
  std::vector<std::uint32_t> bounds;

 private:
  std::uint32_t want_;
  std::uint32_t keep_;
  bool open_ = false;
};

struct Game {
  ToyModel target = ToyModel::random({.n_vocab = 5, .order = 2}, 1);
  ToyModel draft = ToyModel::mix(target, ToyModel::random({.n_vocab = 5, .order = 2}, 2), 0.3);
  VirtualClock clock;
};

LoopOptions options(std::uint64_t max_tokens, std::uint32_t context = 1000) {
  return {.max_tokens = max_tokens, .context_tokens = context, .end_of_generation = {}};
}

TEST(RoundLoop, GreedyTextIsTheTargetsAtEveryDraftLength) {
  const Game game;
  const auto want = game.target.greedy_text(kPrompt, 50);
  for (const std::uint32_t gamma : {0U, 1U, 2U, 5U, 64U}) {
    ToyVerifier verifier(game.target, spec::Mode::kGreedy, 1);
    ToyDrafter drafter(game.draft, spec::Mode::kGreedy, 1);
    ScriptedPolicy policy(gamma);
    Collect sink;
    RoundLoop loop(verifier, game.clock, options(50));
    loop.speculate(drafter, policy);
    const auto stats = loop.run(kPrompt, sink);
    ASSERT_TRUE(stats.has_value());
    EXPECT_EQ(sink.text, want);
    EXPECT_EQ(stats->tokens, 50U);
    EXPECT_EQ(policy.committed, 50U);
    EXPECT_EQ(policy.rounds, stats->acceptance.rounds());
    EXPECT_EQ(policy.unanswered, 0U);
  }
}

TEST(RoundLoop, WithoutADrafterTheTargetWritesAlone) {
  const Game game;
  ToyVerifier verifier(game.target, spec::Mode::kGreedy, 1);
  Collect sink;
  RoundLoop loop(verifier, game.clock, options(20));
  const auto stats = loop.run(kPrompt, sink);
  ASSERT_TRUE(stats.has_value());
  EXPECT_EQ(sink.text, game.target.greedy_text(kPrompt, 20));
  EXPECT_THAT(sink.origins, Each(Origin::kTarget));
  EXPECT_EQ(stats->acceptance.rounds(), 20U);
}

TEST(RoundLoop, TheLongestDraftShrinksTowardsTheLastToken) {
  const Game game;
  ToyVerifier verifier(game.target, spec::Mode::kGreedy, 1);
  ToyDrafter drafter(game.target, spec::Mode::kGreedy, 1);  // always accepted
  ScriptedPolicy policy(3);
  Collect sink;
  RoundLoop loop(verifier, game.clock, options(10));
  loop.speculate(drafter, policy);
  ASSERT_TRUE(loop.run(kPrompt, sink).has_value());
  EXPECT_THAT(policy.bounds, ElementsAre(9, 5, 1));
}

// Notes what it is told of costs before each round.
class CostWatcher final : public control::Policy {
 public:
  control::RoundPlan begin_round(const control::RoundContext& context) override {
    draft_times.push_back(context.cost.draft_token.value());
    return {.max_draft = 2};
  }
  bool keep_drafting(const control::DraftState& /*state*/) override { return true; }
  void end_round(const control::RoundOutcome& /*outcome*/) override {}
  [[nodiscard]] std::string name() const override { return "watcher"; }

  std::vector<double> draft_times;
};

// Drafts in ten milliseconds a token.
class TimedDrafter final : public spec::Drafter {
 public:
  TimedDrafter(spec::Drafter& inner, VirtualClock& clock) : inner_(&inner), clock_(&clock) {}
  Result<void> start(std::span<const spec::Token> prompt) override { return inner_->start(prompt); }
  Result<std::optional<spec::RowStats>> draft_one(spec::Draft& draft, float min_top1) override {
    clock_->advance(milliseconds(10));
    return inner_->draft_one(draft, min_top1);
  }
  Result<void> commit(std::uint32_t accepted, spec::Token next) override {
    return inner_->commit(accepted, next);
  }

 private:
  spec::Drafter* inner_;
  VirtualClock* clock_;
};

TEST(RoundLoop, WhatDraftingCostsIsKnownFromGenerationsBefore) {
  Game game;
  CostTracker costs;
  for (const bool remembers : {false, true}) {
    for (int generation = 0; generation < 2; ++generation) {
      ToyVerifier verifier(game.target, spec::Mode::kGreedy, 1);
      ToyDrafter toy(game.target, spec::Mode::kGreedy, 1);
      TimedDrafter drafter(toy, game.clock);
      LoopOptions how = options(9);
      how.costs = remembers ? &costs : nullptr;
      RoundLoop loop(verifier, game.clock, how);
      CostWatcher policy;
      Collect sink;
      loop.speculate(drafter, policy);
      ASSERT_TRUE(loop.run(kPrompt, sink).has_value());
      EXPECT_DOUBLE_EQ(policy.draft_times[0], remembers && generation > 0 ? 0.01 : 0.0);
      EXPECT_DOUBLE_EQ(policy.draft_times[1], 0.01);
    }
  }
}

// Ends every draft at two tokens, the first for one reason, the next for another, and so on.
class ReasoningPolicy final : public control::Policy {
 public:
  control::RoundPlan begin_round(const control::RoundContext& context) override {
    return {.max_draft = std::min(8U, context.max_draft)};
  }
  bool keep_drafting(const control::DraftState& state) override {
    if (state.drafted < 2) {
      return true;
    }
    ++(odd_ ? why_.stops.entropy : why_.stops.price);
    odd_ = !odd_;
    return false;
  }
  void end_round(const control::RoundOutcome& /*outcome*/) override {}
  [[nodiscard]] std::string name() const override { return "reasoning"; }
  [[nodiscard]] const control::Why* why() const override { return &why_; }

 private:
  control::Why why_;
  bool odd_ = false;
};

TEST(RoundLoop, TheReasonsOfAPolicyAreCountedByGeneration) {
  const Game game;
  ReasoningPolicy policy;
  for (int generation = 0; generation < 2; ++generation) {
    ToyVerifier verifier(game.target, spec::Mode::kGreedy, 1);
    ToyDrafter drafter(game.target, spec::Mode::kGreedy, 1);
    Collect sink;
    RoundLoop loop(verifier, game.clock, options(30));
    loop.speculate(drafter, policy);
    const auto stats = loop.run(kPrompt, sink);
    ASSERT_TRUE(stats.has_value());
    const DraftStops& stops = stats->draft_stops;
    EXPECT_EQ(stops.price + stops.entropy, 9U);
    EXPECT_EQ(stops.price, generation == 0 ? 5U : 4U);
    EXPECT_EQ(stops.policy, 0U);
    EXPECT_EQ(stops.limit, 1U);
  }
}

TEST(RoundLoop, ThePolicyEndsADraft) {
  const Game game;
  ToyVerifier verifier(game.target, spec::Mode::kGreedy, 1);
  ToyDrafter drafter(game.target, spec::Mode::kGreedy, 1);
  ScriptedPolicy policy(8, 2);
  Collect sink;
  RoundLoop loop(verifier, game.clock, options(30));
  loop.speculate(drafter, policy);
  const auto stats = loop.run(kPrompt, sink);
  ASSERT_TRUE(stats.has_value());
  EXPECT_EQ(stats->draft_stops.policy, 9U);
  EXPECT_EQ(stats->draft_stops.limit, 1U);  // the last round needs no more than two
  EXPECT_EQ(stats->acceptance.drafted(), 20U);
  EXPECT_EQ(stats->acceptance.accepted(), 20U);
}

TEST(RoundLoop, NothingComesAfterTheEndOfTheText) {
  const Game game;
  const auto greedy = game.target.greedy_text(kPrompt, 40);
  for (spec::Token end = 0; end < 5; ++end) {
    const auto first = std::find(greedy.begin(), greedy.end(), end);
    if (first == greedy.end()) {
      continue;
    }
    for (const std::uint32_t gamma : {0U, 1U, 4U, 16U}) {
      ToyVerifier verifier(game.target, spec::Mode::kGreedy, 1);
      ToyDrafter drafter(game.draft, spec::Mode::kGreedy, 1);
      ScriptedPolicy policy(gamma);
      Collect sink;
      LoopOptions with_end = options(40);
      with_end.end_of_generation = {end};
      RoundLoop loop(verifier, game.clock, with_end);
      loop.speculate(drafter, policy);
      const auto stats = loop.run(kPrompt, sink);
      ASSERT_TRUE(stats.has_value());
      EXPECT_EQ(stats->stop, StopReason::kEndOfGeneration);
      EXPECT_EQ(sink.text, std::vector<spec::Token>(greedy.begin(), first + 1));
    }
  }
}

TEST(RoundLoop, ContextAndSinkEndAGeneration) {
  const Game game;
  ToyVerifier verifier(game.target, spec::Mode::kGreedy, 1);
  Collect all;
  RoundLoop small(verifier, game.clock, options(0, 12));
  const auto full = small.run(kPrompt, all);
  ASSERT_TRUE(full.has_value());
  EXPECT_EQ(full->stop, StopReason::kContext);
  EXPECT_EQ(kPrompt.size() + all.text.size(), 13U);

  Collect few;
  few.enough = 3;
  RoundLoop large(verifier, game.clock, options(0));
  EXPECT_EQ(large.run(kPrompt, few)->stop, StopReason::kSink);
  EXPECT_EQ(few.text.size(), 3U);
}

// A verifier that fails after a number of rounds.
class FailingVerifier final : public spec::Verifier {
 public:
  Result<void> start(std::span<const spec::Token>) override { return {}; }
  Result<spec::Verdict> verify(const spec::Draft&) override {
    if (rounds_++ == 3) {
      return fail(ErrorCode::kUnavailable, "the edge is gone");
    }
    return spec::Verdict{.accepted = 0, .next = 1};
  }

 private:
  int rounds_ = 0;
};

TEST(RoundLoop, AFailedRoundIsReportedToThePolicyOnceAndEndsTheRun) {
  const Game game;
  FailingVerifier verifier;
  ToyDrafter drafter(game.draft, spec::Mode::kGreedy, 1);
  ScriptedPolicy policy(2);
  Collect sink;
  RoundLoop loop(verifier, game.clock, options(20));
  loop.speculate(drafter, policy);
  const auto stats = loop.run(kPrompt, sink);
  ASSERT_FALSE(stats.has_value());
  EXPECT_EQ(stats.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(policy.rounds, 4U);
  EXPECT_EQ(policy.unanswered, 1U);
  EXPECT_EQ(sink.text.size(), 3U);  // what was committed before stays
}

TEST(RoundLoop, DoesNotAllocateInTheSteadyState) {
  class Count final : public TokenSink {
   public:
    bool on_commit(std::span<const CommittedToken> tokens) override {
      length += tokens.size();
      if (length >= 300 && at_300 == 0) {
        at_300 = toy::allocations;
      }
      at_end = toy::allocations;
      return true;
    }
    std::size_t length = 0;
    std::size_t at_300 = 0;
    std::size_t at_end = 0;
  };
  const Game game;
  for (const spec::Mode mode : {spec::Mode::kGreedy, spec::Mode::kSampling}) {
    ToyVerifier verifier(game.target, mode, 1);
    ToyDrafter drafter(game.draft, mode, 1);
    const auto policy = control::make_policy("static:6").value();
    Count sink;
    RoundLoop loop(verifier, game.clock, options(900));
    loop.speculate(drafter, *policy);
    ASSERT_TRUE(loop.run(kPrompt, sink).has_value());
    // The toy keeps its whole text in a vector, which doubles at 512.
    EXPECT_LE(sink.at_end - sink.at_300, 2U);
  }
}

TEST(CostTracker, FindsBaseAndSlope) {
  CostTracker tracker;
  EXPECT_EQ(tracker.estimate().verify_base, Seconds());
  for (std::uint32_t i = 0; i < 300; ++i) {
    const std::uint32_t n = i % 9;
    tracker.add(n, milliseconds(2.0 * n), milliseconds(10.0 + 0.5 * n));
  }
  EXPECT_NEAR(tracker.estimate().draft_token.value(), 0.002, 1e-12);
  EXPECT_NEAR(tracker.estimate().verify_base.value(), 0.010, 1e-9);
  EXPECT_NEAR(tracker.estimate().verify_token.value(), 0.0005, 1e-9);
}

TEST(CostTracker, WithOneDraftLengthTheSlopeIsNotInvented) {
  CostTracker tracker;
  for (int i = 0; i < 50; ++i) {
    tracker.add(4, milliseconds(8), milliseconds(12));
  }
  EXPECT_NEAR(tracker.estimate().verify_base.value(), 0.012, 1e-9);
  EXPECT_EQ(tracker.estimate().verify_token, Seconds());
}

}  // namespace
}  // namespace gelato::device
