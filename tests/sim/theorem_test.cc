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
  // Acceptance is the 0.9 that the controller supposes; the bucket never fills at 0.3 nats.
  const auto check = check_theorem(paper_setting(), "gelato-paper:v=10,budget=0.6", 1);
  ASSERT_TRUE(check) << check.error().message;
  EXPECT_TRUE(check->energy_holds());
  // B / V is a few hundredths of a token per second, below what 1000 rounds can tell; the mixture
  // is the best of 15 lengths in hindsight. Five percent of its 20 tokens per second is noise.
  EXPECT_LT(check->gap, check->gap_bound + 1.0);
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
