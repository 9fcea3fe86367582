#include <gtest/gtest.h>

#include <array>
#include <cstdint>

#include "gelato/base/clock.h"
#include "gelato/base/result.h"
#include "gelato/base/rng.h"
#include "gelato/base/units.h"

namespace gelato {
namespace {

// Known-answer vectors published with the Random123 library (philox4x32, 10 rounds).
TEST(Philox, MatchesPublishedVectors) {
  using C = std::array<std::uint32_t, 4>;
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (C{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (C{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (C{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Rng, IsAPureFunctionOfSeedStreamAndPosition) {
  Rng a(7, "draft");
  a.uniform();
  a.uniform();
  Rng resumed(7, stream_id("draft"), a.position());
  EXPECT_EQ(a.bits(), resumed.bits());
  EXPECT_NE(Rng(7, "draft").bits(), Rng(7, "verify").bits());
  EXPECT_NE(Rng(7, "draft").bits(), Rng(8, "draft").bits());
}

TEST(Rng, UniformIsInRangeWithTheRightMeanAndBelowCoversItsRange) {
  Rng rng(1, "test");
  double sum = 0.0;
  for (int i = 0; i < 100000; ++i) {
    const double u = rng.uniform();
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    sum += u;
  }
  EXPECT_NEAR(sum / 100000, 0.5, 5 * 0.2887 / 316.2);  // five standard errors
  std::array<int, 3> seen{};
  for (int i = 0; i < 3000; ++i) {
    ++seen.at(rng.below(3));
  }
  for (const int n : seen) {
    EXPECT_NEAR(n, 1000, 130);  // five standard deviations
  }
}

TEST(Units, ProductsHaveTheRightUnit) {
  const Joules e = Watts(12.0) * milliseconds(15.0);
  EXPECT_DOUBLE_EQ(e.value(), 0.18);
  EXPECT_DOUBLE_EQ((bytes(125) / BitsPerSecond(1e6)).value(), 1e-3);
  EXPECT_NEAR(watts_from_dbm(Decibels(23)).value(), 0.19953, 1e-5);
  EXPECT_DOUBLE_EQ(Seconds(3) / Seconds(2), 1.5);
}

TEST(Clock, VirtualMovesOnlyWhenToldAndSteadyNeverGoesBack) {
  VirtualClock clock;
  EXPECT_EQ(clock.now(), Seconds(0));
  clock.advance(Seconds(2.5));
  EXPECT_EQ(clock.now(), Seconds(2.5));
  const SteadyClock steady;
  const Seconds before = steady.now();
  EXPECT_GE(steady.now(), before);
}

TEST(Result, CarriesCodeAndSentence) {
  const auto f = [](bool ok) -> Result<int> {
    if (!ok) {
      return fail(ErrorCode::kNotFound, "no such thing");
    }
    return 3;
  };
  EXPECT_EQ(f(true).value(), 3);
  EXPECT_EQ(f(false).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(to_string(f(false).error().code), "not_found");
}

}  // namespace
}  // namespace gelato
