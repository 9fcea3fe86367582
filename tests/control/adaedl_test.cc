#include "gelato/control/adaedl.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/control/script.h"

namespace gelato::control {
namespace {

using testing::draft_entropies;
using testing::make;

// Rows of growing entropy: 0.01, 0.02, ... nats. The length of the draft reads off the threshold.
std::vector<float> ramp() {
  std::vector<float> entropies;
  for (int i = 1; i <= 64; ++i) {
    entropies.push_back(0.01F * static_cast<float>(i));
  }
  return entropies;
}

// The paper's bound on the acceptance probability with its c = 0.2: certain at H = 0, vacuous from
// 5 nats on, and falling in between.
TEST(AdaEdl, BoundFallsFromOneToNothing) {
  EXPECT_EQ(adaedl_bound(0.0, 0.2), 1.0);
  EXPECT_NEAR(adaedl_bound(1.25, 0.2), 0.5, 1e-12);
  EXPECT_NEAR(adaedl_bound(5.0, 0.2), 0.0, 1e-12);
  EXPECT_EQ(adaedl_bound(50.0, 0.2), 0.0);
}

// 1 - sqrt(0.2 H) < 0.5 first at H = 1.26.
TEST(AdaEdl, StopsAfterTheFirstTokenWhoseBoundIsBelowTheThreshold) {
  const auto policy = make("adaedl:threshold=0.5");
  EXPECT_EQ(draft_entropies(*policy, std::vector{0.3F, 1.24F, 1.26F, 0.0F, 0.0F}), 3U);
  EXPECT_EQ(draft_entropies(*policy, std::vector<float>(40, 0.0F)), 16U) << "at most length";
}

TEST(AdaEdl, DraftsLongerWhileDraftsAreAcceptedAndShorterWhileNot) {
  const auto policy = make("adaedl:threshold=0.8,step=0.05,length=64");
  const std::uint32_t before = draft_entropies(*policy, ramp());
  for (int round = 0; round < 20; ++round) {
    testing::end_round(*policy, 20, 20);
    policy->begin_round(testing::context(testing::some_cost()));
  }
  const std::uint32_t after_success = draft_entropies(*policy, ramp());
  EXPECT_GT(after_success, before);
  for (int round = 0; round < 60; ++round) {
    testing::end_round(*policy, 20, 2);
    policy->begin_round(testing::context(testing::some_cost()));
  }
  EXPECT_LT(draft_entropies(*policy, ramp()), before);
}

// By hand: A = 0.9 (start) -> 0.5 * 0.9 + 0.5 * 1 = 0.95 >= 0.9, so lambda = 0.9 * 0.8 + 0.1 * 0.75
// = 0.795: a row passes if 0.2 H <= 0.205^2, H <= 0.2101. At 0.8 it had to be H <= 0.2.
TEST(AdaEdl, MovesTheThresholdByATenthOfTheStep) {
  const auto policy = make("adaedl:threshold=0.8,step=0.05,length=64");
  const std::vector<float> row{0.205F, 0.0F};
  EXPECT_EQ(draft_entropies(*policy, row), 1U);
  testing::end_round(*policy, 20, 20);
  EXPECT_EQ(draft_entropies(*policy, row), 2U);
}

TEST(AdaEdl, KeepsTheThresholdWhenTheDraftWasCutOrNobodyAnswered) {
  const std::vector<float> row{0.205F, 0.0F};
  const auto full = make("adaedl:threshold=0.8,step=1,length=4");
  draft_entropies(*full, row);
  testing::end_round(*full, 4, 4);
  EXPECT_EQ(draft_entropies(*full, row), 1U);
  const auto lost = make("adaedl:threshold=0.8,step=1,length=4");
  draft_entropies(*lost, row);
  lost->end_round({.answered = false, .drafted = 2});
  EXPECT_EQ(draft_entropies(*lost, row), 1U);
}

}  // namespace
}  // namespace gelato::control
