#include "gelato/sim/theorem.h"

#include <gtest/gtest.h>

#include "tests/sim/settings.h"

namespace gelato::sim {
namespace {

Setting paper_setting() {
  Setting setting =
      round_setting(std::make_shared<DraftTrace>(make_synthetic_trace("iid:0.9", 4).value()));
  setting.profile.draft_power = Watts(12.0);
  setting.accounting = Accounting::kPaper;
  setting.rounds = 1000;
  return setting;
}

TEST(Theorem, BothBoundsHoldWhereTheModelIsRight) {
  // Acceptance is the 0.9 that the controller supposes; the bucket never fills at 0.3 nats. Each
  // noise is four standard errors: with the eight checks together a false alarm in 2000 seeds.
  for (const char* policy : {"gelato-paper:v=1,budget=0.3", "gelato-paper:v=10,budget=0.05",
                             "gelato-paper:v=10,budget=0.6", "gelato-paper:v=100,budget=0.05"}) {
    const auto check = check_theorem(paper_setting(), policy, 1);
    ASSERT_TRUE(check) << check.error().message;
    EXPECT_TRUE(check->premise_holds()) << policy;
    EXPECT_TRUE(check->energy_holds()) << policy;
    EXPECT_TRUE(check->throughput_holds()) << policy;
    EXPECT_LT(check->gap_noise, 3.0) << policy;  // of 20 tokens per second
  }
}

TEST(Theorem, ThroughputBoundFailsWithItsPremise) {
  Setting setting = paper_setting();
  // Half of the tokens are accepted where the controller supposes nine of ten: drafts are too long.
  setting.trace = std::make_shared<DraftTrace>(make_synthetic_trace("iid:0.5", 4).value());
  const auto wrong = check_theorem(setting, "gelato-paper:v=10,budget=0.6", 1);
  ASSERT_TRUE(wrong) << wrong.error().message;
  EXPECT_TRUE(wrong->energy_holds());
  EXPECT_GT(wrong->shortfall, 1.0);
  EXPECT_FALSE(wrong->premise_holds());
  EXPECT_FALSE(wrong->throughput_holds());
  const auto told = check_theorem(setting, "gelato-paper:v=10,budget=0.6,rho=0.5", 1);
  ASSERT_TRUE(told) << told.error().message;
  EXPECT_TRUE(told->premise_holds());
  EXPECT_TRUE(told->throughput_holds());
  // A bucket that ends drafts early breaks the premise as well.
  setting.trace = std::make_shared<DraftTrace>(make_synthetic_trace("entropy:0.35,0.6", 4).value());
  const auto cut = check_theorem(setting, "gelato-paper:v=10,budget=0.6,rho=0.83", 1);
  ASSERT_TRUE(cut) << cut.error().message;
  EXPECT_FALSE(cut->premise_holds());
}

TEST(Theorem, OvershootFallsWithTheNumberOfSteps) {
  Setting setting = paper_setting();
  setting.rounds = 100;
  const auto early = check_theorem(setting, "gelato-paper:v=100,budget=0.3", 1);
  setting.rounds = 4000;
  const auto late = check_theorem(setting, "gelato-paper:v=100,budget=0.3", 1);
  ASSERT_TRUE(early && late);
  EXPECT_LT(late->overshoot, early->overshoot);
  EXPECT_LT(late->overshoot_bound, early->overshoot_bound);
}

TEST(Theorem, IsAboutOnePolicy) {
  EXPECT_TRUE(has_theorem("gelato-paper"));
  EXPECT_TRUE(has_theorem("gelato-paper:v=1"));
  EXPECT_FALSE(has_theorem("gelato-paperback"));
  EXPECT_FALSE(has_theorem("gelato"));
  EXPECT_EQ(check_theorem(paper_setting(), "static:7", 1).error().code,
            ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace gelato::sim
