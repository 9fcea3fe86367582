// Drafts tried beside bursts of the target: they cost the text nothing, and their verdicts are
// those that a round would have brought.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/device/toy_session.h"

namespace gelato::device {
namespace {

using control::RoundMode;
using proto::WireMode;
using toy::ToyModel;
using Text = std::vector<spec::Token>;

constexpr std::uint64_t kTokens = 150;

// Bursts with trials, and rounds with drafts, of every shape.
class TrialPolicy final : public control::Policy {
 public:
  TrialPolicy(const ToySession& session, const ToyModel& target, const ToyModel& draft,
              std::uint64_t seed)
      : session_(session), draft_(draft), text_(session.prompt), rng_(seed, "trials") {
    const Text written = target.greedy_text(text_, kTokens + control::kMaxDraftLength + 1);
    text_.insert(text_.end(), written.begin(), written.end());
  }

  control::RoundPlan begin_round(const control::RoundContext& /*context*/) override {
    begin_ = place();
    control::RoundPlan plan{.max_draft = 2 + static_cast<std::uint32_t>(rng_.below(6))};
    if (rng_.uniform() < 0.6) {
      plan.mode = RoundMode::kTargetOnly;
      plan.burst = 2 + static_cast<std::uint32_t>(rng_.below(30));
      plan.trial_at = 1 + static_cast<std::uint32_t>(rng_.below(plan.burst - 1));
    }
    mode_ = plan.mode;
    asked_ = false;
    return plan;
  }
  bool keep_drafting(const control::DraftState& state) override {
    begin_ = state.drafted == 1 ? place() : begin_;
    asked_ = true;
    return rng_.uniform() < 0.8;
  }
  std::uint32_t end_trial(std::uint32_t drafted, std::uint32_t accepted) override {
    EXPECT_EQ(mode_, RoundMode::kTargetOnly);
    EXPECT_GE(drafted, 1U);
    ++trials;
    agreed += accepted;
    if (asked_) {  // else the draft had room for one token, and nobody knows where
      EXPECT_EQ(accepted, agreeing(drafted)) << "after " << begin_;
    }
    asked_ = false;
    const bool another = rng_.uniform() < 0.7;
    return another ? 1 + static_cast<std::uint32_t>(rng_.below(8)) : 0;
  }
  void end_round(const control::RoundOutcome& outcome) override {
    if (mode_ == RoundMode::kSpeculate && outcome.answered) {
      EXPECT_EQ(outcome.accepted, agreeing(outcome.drafted)) << "after " << begin_;
    }
    committed += outcome.committed;
  }
  [[nodiscard]] std::string name() const override { return "trials"; }

  std::uint64_t trials = 0;
  std::uint64_t agreed = 0;
  std::uint64_t committed = 0;

 private:
  [[nodiscard]] std::size_t place() const { return session_.sink.tokens().size(); }
  // Of so many tokens that the draft model writes where the draft began, how many the target does.
  [[nodiscard]] std::uint32_t agreeing(std::uint32_t drafted) const {
    const std::size_t at = session_.prompt.size() + begin_;
    const Text drafts =
        draft_.greedy_text(Text(text_.begin(), text_.begin() + static_cast<long>(at)), drafted);
    const auto differ =
        std::mismatch(drafts.begin(), drafts.end(), text_.begin() + static_cast<long>(at)).first;
    return static_cast<std::uint32_t>(differ - drafts.begin());
  }

  const ToySession& session_;
  const ToyModel& draft_;
  Text text_;  // prompt and the target's
  Rng rng_;
  RoundMode mode_ = RoundMode::kSpeculate;
  std::size_t begin_ = 0;  // tokens written when the draft began
  bool asked_ = false;     // whether it goes on
};

class BurstRoundTest : public ::testing::Test {
 protected:
  static ToyModel random(std::uint64_t seed) {
    return ToyModel::random({.n_vocab = 6, .order = 3, .sharpness = 3.0}, seed);
  }
  Text target_text() { return target_.greedy_text(Text{1, 0}, kTokens); }

  ToyModel target_ = random(1);
  ToyModel draft_ = ToyModel::mix(target_, random(2), 0.35);
};

TEST_F(BurstRoundTest, TrialsBringTheVerdictsOfRoundsAndLeaveTheTextAlone) {
  std::uint64_t trials = 0;
  std::uint64_t agreed = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    ToySession session(target_, draft_, WireMode::kIds, seed);
    TrialPolicy policy(session, target_, draft_, seed);
    const auto stats = session.write(policy, kTokens);
    ASSERT_TRUE(stats.has_value()) << stats.error().message;
    ASSERT_EQ(session.sink.tokens(), target_text()) << seed;
    EXPECT_EQ(policy.committed, kTokens);
    EXPECT_EQ(session.edge.opens().size(), 1U);
    trials += policy.trials;
    agreed += policy.agreed;
  }
  EXPECT_GT(trials, 300U);
  EXPECT_GT(agreed, trials / 2);
}

TEST_F(BurstRoundTest, FaultsOfTheLinkChangeNothing) {
  std::uint64_t trials = 0;
  for (const Fault fault : {Fault::kLoseAnswer, Fault::kLoseMessage, Fault::kSilence}) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      ToySession session(target_, draft_, WireMode::kIds, seed);
      Rng faults(seed, "faults");
      session.edge.fault = [&](const auto&) {
        return faults.uniform() < 0.05 ? fault : Fault::kNone;
      };
      TrialPolicy policy(session, target_, draft_, seed);
      const auto stats = session.write(policy, kTokens);
      ASSERT_TRUE(stats.has_value()) << stats.error().message;
      ASSERT_EQ(session.sink.tokens(), target_text()) << seed;
      trials += policy.trials;
    }
  }
  EXPECT_GT(trials, 300U);
}

// It says that a burst is complete when it is not, with a trial waiting for its first token.
TEST_F(BurstRoundTest, AnEdgeThatEndsBurstsEarlyChangesNothing) {
  std::uint64_t cut = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    ToySession session(target_, draft_, WireMode::kIds, seed);
    Rng lies(seed, "lies");
    session.edge.rewrite = [&](proto::EdgeMessage& message) {
      auto* tokens = std::get_if<proto::Tokens>(&message);
      if (tokens != nullptr && tokens->end == proto::BurstEnd::kGoesOn && lies.uniform() < 0.1) {
        tokens->end = proto::BurstEnd::kComplete;
        ++cut;
      }
    };
    TrialPolicy policy(session, target_, draft_, seed);
    const auto stats = session.write(policy, kTokens);
    if (stats) {
      ASSERT_EQ(session.sink.tokens(), target_text()) << seed;
    } else {
      const Text& text = session.sink.tokens();
      const Text want = target_text();
      ASSERT_TRUE(std::equal(text.begin(), text.end(), want.begin())) << seed;
    }
  }
  EXPECT_GT(cut, 40U);
}

// What is being tried when the edge goes for good is text, as it would be in a round.
TEST_F(BurstRoundTest, WithTheEdgeGoneForGoodTheDraftFinishesTheText) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    ToySession session(target_, draft_, WireMode::kIds, seed);
    session.options.when_offline = WhenOffline::kDraft;
    session.sink.at(20 + seed, [&] {
      session.edge.restart();
      session.edge.unreachable_until = Seconds(1e9);
    });
    TrialPolicy policy(session, target_, draft_, seed);
    const auto stats = session.write(policy, kTokens);
    ASSERT_TRUE(stats.has_value()) << stats.error().message;
    ASSERT_EQ(session.sink.tokens().size(), kTokens);
    const auto verified = static_cast<std::size_t>(kTokens - stats->unverified);
    EXPECT_GE(verified, 20 + seed);
    Text text = target_.greedy_text(Text{1, 0}, verified);
    text.insert(text.begin(), {1, 0});
    const Text rest = draft_.greedy_text(text, kTokens - verified);
    text.insert(text.end(), rest.begin(), rest.end());
    EXPECT_TRUE(
        std::equal(session.sink.tokens().begin(), session.sink.tokens().end(), text.begin() + 2))
        << seed;
  }
}

// Where tokens are drawn, an equal one is rarer than an accepted one: no verdict.
TEST_F(BurstRoundTest, NothingIsTriedWhereTokensAreDrawn) {
  class Counting final : public control::Policy {
   public:
    control::RoundPlan begin_round(const control::RoundContext& /*context*/) override {
      return {.max_draft = 4, .mode = RoundMode::kTargetOnly, .burst = 10, .trial_at = 2};
    }
    bool keep_drafting(const control::DraftState& /*state*/) override {
      ++asked;
      return true;
    }
    void end_round(const control::RoundOutcome& /*outcome*/) override {}
    [[nodiscard]] std::string name() const override { return "counting"; }
    int asked = 0;
  };
  Counting drawn;
  ToySession sampling(target_, draft_, WireMode::kQRow);
  ASSERT_TRUE(sampling.write(drawn, 40).has_value());
  EXPECT_EQ(drawn.asked, 0);
  Counting taken;
  ToySession greedy(target_, draft_, WireMode::kIds);
  ASSERT_TRUE(greedy.write(taken, 40).has_value());
  EXPECT_GT(taken.asked, 0);
}

}  // namespace
}  // namespace gelato::device
