#include "gelato/report/summary.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

namespace gelato::report {
namespace {

TEST(Summary, InterpolatesBetweenNeighbours) {
  const Summary s({4.0, 1.0, 3.0, 2.0});
  EXPECT_EQ(s.count(), 4U);
  EXPECT_DOUBLE_EQ(s.min(), 1.0);
  EXPECT_DOUBLE_EQ(s.median(), 2.5);
  EXPECT_DOUBLE_EQ(s.max(), 4.0);
  EXPECT_DOUBLE_EQ(s.percentile(95.0), 3.85);  // numpy.percentile([1, 2, 3, 4], 95)
  EXPECT_DOUBLE_EQ(s.percentile(-5.0), 1.0);
  EXPECT_DOUBLE_EQ(s.percentile(200.0), 4.0);
}

TEST(Summary, OneSampleIsEveryPercentile) {
  const Summary s({7.0});
  EXPECT_DOUBLE_EQ(s.min(), 7.0);
  EXPECT_DOUBLE_EQ(s.percentile(99.0), 7.0);
}

TEST(Summary, LeavesOutWhatWasNotMeasured) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(Summary({1.0, nan, 3.0}).count(), 2U);
  EXPECT_DOUBLE_EQ(Summary({nan, 3.0, 1.0}).median(), 2.0);
  EXPECT_TRUE(std::isnan(Summary().median()));
  EXPECT_TRUE(std::isnan(Summary({nan}).max()));
}

TEST(PairedRatios, ComparesRunByRun) {
  // The machine slowed down threefold on the way; the ratio did not move.
  const std::array<double, 3> a{20.0, 10.0, 6.0};
  const std::array<double, 4> b{10.0, 5.0, 3.0, 1.0};
  const Summary s = paired_ratios(a, b);
  EXPECT_EQ(s.count(), 3U);
  EXPECT_DOUBLE_EQ(s.min(), 2.0);
  EXPECT_DOUBLE_EQ(s.max(), 2.0);
}

}  // namespace
}  // namespace gelato::report
