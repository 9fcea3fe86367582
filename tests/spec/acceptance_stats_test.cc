#include "gelato/spec/acceptance_stats.h"

#include <gtest/gtest.h>

namespace gelato::spec {
namespace {

TEST(AcceptanceStats, IsZeroBeforeTheFirstRound) {
  const AcceptanceStats stats;
  EXPECT_EQ(stats.rounds(), 0U);
  EXPECT_EQ(stats.acceptance_rate(), 0.0);
  EXPECT_EQ(stats.mean_accepted(), 0.0);
  EXPECT_EQ(stats.survival(0), 0.0);
}

TEST(AcceptanceStats, CountsByDepth) {
  AcceptanceStats stats;
  stats.add(4, {.accepted = 2, .next = 0});
  stats.add(2, {.accepted = 2, .next = 0});
  stats.add(3, {.accepted = 0, .next = 0});
  stats.add(0, {.accepted = 0, .next = 0});
  EXPECT_EQ(stats.rounds(), 4U);
  EXPECT_EQ(stats.drafted(), 9U);
  EXPECT_EQ(stats.accepted(), 4U);
  EXPECT_EQ(stats.committed(), 8U);
  EXPECT_DOUBLE_EQ(stats.acceptance_rate(), 4.0 / 9.0);
  EXPECT_DOUBLE_EQ(stats.mean_accepted(), 1.0);
  EXPECT_DOUBLE_EQ(stats.survival(0), 2.0 / 3.0);
  EXPECT_DOUBLE_EQ(stats.survival(1), 2.0 / 3.0);
  EXPECT_DOUBLE_EQ(stats.survival(2), 0.0);
  EXPECT_EQ(stats.drafted_at(3), 1U);
  EXPECT_EQ(stats.accepted_at(3), 0U);
  EXPECT_EQ(stats.drafted_at(4), 0U);
}

TEST(AcceptanceStats, GreatDepthsShareTheLastCounter) {
  AcceptanceStats stats;
  constexpr auto kLast = AcceptanceStats::kMaxDepth - 1;
  stats.add(kLast + 3, {.accepted = kLast + 2, .next = 0});
  EXPECT_EQ(stats.drafted_at(kLast), 3U);
  EXPECT_EQ(stats.accepted_at(kLast), 2U);
  EXPECT_EQ(stats.drafted_at(kLast - 1), 1U);
}

}  // namespace
}  // namespace gelato::spec
