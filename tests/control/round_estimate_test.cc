#include "gelato/control/round_estimate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/control/script.h"

namespace gelato::control {
namespace {

TEST(ExpectedTokens, IsTheGeometricSum) {
  for (const double rho : {0.0, 0.3, 0.9, 0.999999, 1.0}) {
    for (const std::uint32_t gamma : {0U, 1U, 5U, 64U}) {
      double sum = 0.0;
      for (std::uint32_t i = 0; i <= gamma; ++i) {
        sum += std::pow(rho, i);
      }
      EXPECT_NEAR(expected_tokens(rho, gamma), sum, 1e-9 * sum) << rho << ' ' << gamma;
    }
  }
}

// The mean of `static:7` over 40000 rounds with i.i.d. acceptance, within five standard errors of
// the closed form: one false alarm in 1.7 million.
TEST(ExpectedTokens, IsTheMeanOfAStaticPolicy) {
  constexpr int kRounds = 40000;
  for (const double rho : {0.2, 0.6, 0.9}) {
    Rng rng(3, "rounds");
    const auto policy = testing::make("static:7");
    double sum = 0.0;
    double squares = 0.0;
    for (int i = 0; i < kRounds; ++i) {
      const std::uint32_t drafted = policy->begin_round({}).max_draft;
      const double tokens = testing::accepted_of(drafted, rho, rng) + 1.0;
      sum += tokens;
      squares += tokens * tokens;
    }
    const double mean = sum / kRounds;
    const double standard_error = std::sqrt((squares / kRounds - mean * mean) / kRounds);
    EXPECT_NEAR(mean, expected_tokens(rho, 7), 5 * standard_error) << rho;
  }
}

TEST(RoundTime, AddsWhatARoundIsMadeOf) {
  const CostEstimate c = testing::some_cost();
  EXPECT_DOUBLE_EQ(drafting_time(c, 4).value(), 0.060);
  EXPECT_DOUBLE_EQ(drafting_energy(c, 4).value(), 0.72);
  EXPECT_DOUBLE_EQ(uplink_time(c, 4).value(), 1200e-6);
  EXPECT_DOUBLE_EQ(verify_time(c, 4).value(), 0.104);
  EXPECT_DOUBLE_EQ(round_time(c, 4).value(), 0.060 + 0.0012 + 0.020 + 0.104);
  EXPECT_EQ(uplink_time({}, 4), Seconds(0.0)) << "no network";
}

TEST(Usable, TakesOnlyWhatCanBeMeasured) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  for (const double bad : {std::nan(""), kInf, -kInf, -1e-9, 1e13}) {
    EXPECT_EQ(usable(bad), 0.0);
  }
  EXPECT_EQ(usable(3.5), 3.5);
  EXPECT_EQ(usable(Joules(-1.0)), Joules(0.0));
  CostEstimate c = testing::some_cost();
  c.uplink = BitsPerSecond(5e-324);
  c.uplink_bits_per_token = Bits(1e12);
  EXPECT_TRUE(std::isfinite(round_time(usable(c), 64).value()));
}

TEST(BestLength, IsTheSmallestOfEqualsAndSurvivesNaN) {
  EXPECT_EQ(best_length(1, 9, [](std::uint32_t n) { return n == 4 || n == 6 ? 1.0 : 0.0; }), 4U);
  EXPECT_EQ(best_length(2, 9, [](std::uint32_t) { return std::nan(""); }), 2U);
  EXPECT_EQ(best_length(3, 3, [](std::uint32_t) { return 0.0; }), 3U);
}

// A wait is paid once for a round, other devices' tokens with every pass.
TEST(RoundTime, CountsQueueAndOtherDevices) {
  CostEstimate cost = testing::some_cost();
  const Seconds alone = round_time(cost, 5);
  cost.queue = milliseconds(20);
  cost.others = milliseconds(3);
  EXPECT_NEAR((round_time(cost, 5) - alone).value(), 0.023, 1e-12);
  EXPECT_NEAR((verify_time(cost, 5) - verify_time(testing::some_cost(), 5)).value(), 0.003, 1e-12);
  cost.devices = -1.0;
  EXPECT_EQ(usable(cost).devices, 1.0);
}

}  // namespace
}  // namespace gelato::control
