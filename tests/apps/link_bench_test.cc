// What gelato bench link adds up, and what it predicts, on a trace whose times follow by hand.
#include "gelato/link_bench.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gelato/control/policy_kind.h"

namespace gelato::cli {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

// Plans one mode after the other.
class ModesInTurn final : public control::Policy {
 public:
  control::RoundPlan begin_round(const control::RoundContext& /*context*/) override {
    using Mode = control::RoundMode;
    constexpr std::array kModes = {Mode::kSpeculate, Mode::kTargetOnly, Mode::kDraftOnly};
    return {.mode = kModes[rounds_++]};
  }
  bool keep_drafting(const control::DraftState& /*state*/) override { return false; }
  void end_round(const control::RoundOutcome& /*outcome*/) override {}
  [[nodiscard]] std::string name() const override { return "modes"; }

 private:
  std::size_t rounds_ = 0;
};

TEST(ObservedPolicy, AddsUpRoundsAndCountsAPassForEachTokenOfABurst) {
  ModesInTurn modes;
  ObservedPolicy policy(modes);
  EXPECT_EQ(policy.name(), "modes");
  const auto round = [&](std::uint32_t drafted, std::uint32_t committed) {
    policy.begin_round({});
    policy.end_round({.drafted = drafted,
                      .accepted = drafted / 2,
                      .passes = 1,
                      .committed = committed,
                      .elapsed = Seconds(0.5),
                      .energy = Joules(2.0)});
  };
  round(4, 3);
  round(0, 5);
  round(2, 2);
  const RoundTotals& totals = policy.totals();
  EXPECT_EQ(totals.rounds, 3U);
  EXPECT_EQ(totals.tokens, 10U);
  EXPECT_EQ(totals.drafted, 6U);
  EXPECT_EQ(totals.accepted, 3U);
  EXPECT_EQ(totals.passes, 1U + 5U + 0U);
  EXPECT_DOUBLE_EQ(totals.tokens_per_s(), 10 / 1.5);
  EXPECT_DOUBLE_EQ(totals.joules_per_token(), 0.6);
  EXPECT_DOUBLE_EQ(totals.per_round(), 10 / 3.0);
  EXPECT_DOUBLE_EQ(totals.passes_per_token(), 0.6);
}

TEST(LinkBench, ComparesEveryPolicyButTheOneThatGreedyTextsDoNotTellApart) {
  const auto policies = default_link_policies();
  for (const std::string& policy : policies) {
    EXPECT_TRUE(control::make_policy(policy).has_value()) << policy;
  }
  for (const control::PolicyKind* kind : control::policy_kinds()) {
    const std::string name(kind->name);
    if (name != "dssd") {
      EXPECT_THAT(policies, Contains(::testing::StartsWith(name)));
    }
  }
  EXPECT_THAT(policies, Not(Contains(HasSubstr("dssd"))));
}

TEST(LinkBench, TheErrorIsThatOfTheRowThatIsFarthestOff) {
  const RoundTotals simulated{.tokens = 10, .elapsed = Seconds(1.0), .energy = Joules(1.0)};
  LinkBenchOutcome outcome;
  for (const double slower : {1.02, 0.9}) {
    LinkBenchRow& row = outcome.rows.emplace_back();
    row.simulated = simulated;
    for (const double noise : {0.5, 1.0, 2.0}) {
      row.repetitions.push_back(
          {.tokens = 10, .elapsed = Seconds(slower * noise), .energy = Joules(1.0)});
    }
  }
  EXPECT_DOUBLE_EQ(outcome.rows[0].ratio(&RoundTotals::tokens_per_s).median(), 1 / 1.02);
  EXPECT_NEAR(outcome.max_error(&RoundTotals::tokens_per_s), 1 / 0.9 - 1, 1e-12);
  EXPECT_DOUBLE_EQ(outcome.max_error(&RoundTotals::joules_per_token), 0.0);
}

// Six tokens, all drafted rightly.
LinkPrediction prediction() {
  auto trace = std::make_shared<sim::DraftTrace>();
  trace->vocabulary = 256;
  trace->depth = 4;
  trace->prompts = {{.id = "1", .set = "1", .prompt_tokens = 2, .first = 0, .positions = 6}};
  trace->target_tokens.assign(6, 1);
  trace->tokens.assign(24, {.top1 = 1.0F, .margin = 1.0F, .top_p = 1, .match = 1});
  LinkPrediction out;
  out.trace = std::move(trace);
  out.profile.draft_token = milliseconds(10);
  out.profile.idle = Watts(1.0);
  out.profile.draft_power = Watts(3.0);
  out.link = link::parse_link_spec("rate=8kbit,delay=10ms").value();
  out.edge.stack = milliseconds(2);
  out.edge.drafts = {.up = 18, .down = 5, .up_ack = 0, .down_ack = 0};
  out.edge.writes = {.up = 10, .down = 7, .up_ack = 0, .down_ack = 0};
  return out;
}

// Two rounds of two drafted tokens: 20 ms drafting, 20 bytes up, half of the stack's 2 ms each way,
// a pass of 100 ms, 5 bytes down.
TEST(LinkPrediction, IsTheTimeThatFollowsFromTheProbe) {
  const auto totals = prediction().predict("static:2", 1, 1);
  ASSERT_TRUE(totals.has_value()) << totals.error().message;
  EXPECT_EQ(totals->tokens, 6U);
  EXPECT_EQ(totals->rounds, 2U);
  EXPECT_EQ(totals->passes, 2U);
  const double round = 0.020 + 0.020 + 0.011 + 0.100 + 0.005 + 0.011;
  EXPECT_NEAR(totals->elapsed.value(), 2 * round, 1e-9);
}

// The messages of a target that writes alone have their own sizes: 10 bytes to ask, then six passes
// and the last answer of 7 bytes.
TEST(LinkPrediction, StreamingHasMessagesOfItsOwn) {
  const auto totals = prediction().predict("edge-only", 1, 1);
  ASSERT_TRUE(totals.has_value()) << totals.error().message;
  EXPECT_EQ(totals->passes, 6U);
  EXPECT_NEAR(totals->elapsed.value(), 0.010 + 0.011 + 6 * 0.100 + 0.007 + 0.011, 1e-9);
}

// A second device's drafts lengthen the passes that both share, by what a token adds.
TEST(LinkPrediction, DevicesShareTheEdge) {
  const auto one = prediction().predict("static:2", 1, 1);
  const auto two = prediction().predict("static:2", 2, 1);
  ASSERT_TRUE(one && two);
  EXPECT_EQ(two->tokens, 2 * one->tokens);
  EXPECT_EQ(two->rounds, 2 * one->rounds);
  EXPECT_LT(two->tokens_per_s(), one->tokens_per_s()) << "of a device";
}

// Drafts that are always rejected. What the first text taught is known in those that count.
TEST(LinkPrediction, APolicyKnowsWhatEarlierTextsTaughtIt) {
  LinkPrediction scenario = prediction();
  auto trace = std::make_shared<sim::DraftTrace>(*scenario.trace);
  constexpr std::uint32_t kText = 40;
  trace->prompts.front().positions = kText;
  trace->target_tokens.assign(kText, 1);
  trace->tokens.assign(std::size_t{kText} * trace->depth,
                       {.top1 = 0.9F, .margin = 0.8F, .top_p = 1});
  scenario.trace = std::move(trace);
  const auto alone = scenario.predict("edge-only", 1, 3);
  const auto gelato = scenario.predict("gelato", 1, 3);
  ASSERT_TRUE(alone && gelato);
  EXPECT_EQ(gelato->tokens, 3 * kText);
  EXPECT_GT(gelato->tokens_per_s(), 0.94 * alone->tokens_per_s());
}

TEST(LinkPrediction, RefusesWhatIsNoPolicy) {
  EXPECT_FALSE(prediction().predict("nonsense", 1, 1).has_value());
}

}  // namespace
}  // namespace gelato::cli
