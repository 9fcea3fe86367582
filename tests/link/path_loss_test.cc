#include "gelato/link/path_loss.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace gelato::link {
namespace {

constexpr PathLossModel kAll[] = {PathLossModel::kUmiLos, PathLossModel::kUmiNlos,
                                  PathLossModel::kInhLos, PathLossModel::kInhNlos};

double loss_db(PathLossModel model, double metres, double ghz) {
  return path_loss(model, Metres(metres), Hertz(ghz * 1e9)).value().value();
}

// Worked out from table 7.4.1-1 with d_3D = hypot(d_2D, height difference).
TEST(PathLoss, FollowsTheTable) {
  EXPECT_NEAR(loss_db(PathLossModel::kUmiLos, 100, 3.5), 85.3142, 1e-4);
  EXPECT_NEAR(loss_db(PathLossModel::kUmiLos, 1000, 3.5), 119.1531, 1e-4);  // past 210 m
  EXPECT_NEAR(loss_db(PathLossModel::kUmiNlos, 100, 3.5), 104.6438, 1e-4);
  EXPECT_NEAR(loss_db(PathLossModel::kUmiNlos, 10, 28), 92.6927, 1e-4);
  EXPECT_NEAR(loss_db(PathLossModel::kInhLos, 20, 5), 68.9246, 1e-4);
  EXPECT_NEAR(loss_db(PathLossModel::kInhNlos, 20, 5), 84.6166, 1e-4);
  EXPECT_NEAR(loss_db(PathLossModel::kInhNlos, 0, 2.4), 45.2120, 1e-4);  // the LOS loss is larger
}

TEST(PathLoss, IsContinuousAtTheBreakpointOfTheStreetCanyon) {
  const double breakpoint = 4.0 * 9.0 * 0.5 * 3.5e9 / 3.0e8;
  EXPECT_NEAR(loss_db(PathLossModel::kUmiLos, breakpoint - 1e-6, 3.5),
              loss_db(PathLossModel::kUmiLos, breakpoint + 1e-6, 3.5), 1e-6);
}

TEST(PathLoss, GrowsWithDistanceAndWithoutLineOfSight) {
  for (double d = 10; d < 140; d *= 1.1) {
    for (const PathLossModel model : kAll) {
      EXPECT_LT(loss_db(model, d, 3.5), loss_db(model, 1.1 * d, 3.5));
    }
    EXPECT_LE(loss_db(PathLossModel::kUmiLos, d, 3.5), loss_db(PathLossModel::kUmiNlos, d, 3.5));
    EXPECT_LE(loss_db(PathLossModel::kInhLos, d, 3.5), loss_db(PathLossModel::kInhNlos, d, 3.5));
  }
}

TEST(PathLoss, RefusesWhatTheTableDoesNotCover) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const double d : {9.99, 5000.1, -1.0, nan}) {
    const auto r = path_loss(PathLossModel::kUmiLos, Metres(d), Hertz(3.5e9));
    ASSERT_FALSE(r) << d;
    EXPECT_EQ(r.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(r.error().message.find("10 m to 5 km"), std::string::npos);
  }
  for (const double d : {149.99, -1.0, nan}) {
    EXPECT_FALSE(path_loss(PathLossModel::kInhNlos, Metres(d), Hertz(3.5e9))) << d;
  }
  EXPECT_TRUE(path_loss(PathLossModel::kInhNlos, Metres(149.9), Hertz(3.5e9)));
  for (const double f : {0.49e9, 100.1e9, nan}) {
    EXPECT_FALSE(path_loss(PathLossModel::kUmiLos, Metres(100), Hertz(f))) << f;
  }
}

TEST(PathLoss, NamesGoBothWays) {
  for (const PathLossModel model : kAll) {
    EXPECT_EQ(path_loss_model(to_string(model)), model);
  }
  EXPECT_EQ(path_loss_model("uma-los"), std::nullopt);
}

}  // namespace
}  // namespace gelato::link
