#include "gelato/sim/trace_stats.h"

#include <gtest/gtest.h>

#include <cmath>

#include "gelato/base/rng.h"
#include "tests/sim/trace_samples.h"

namespace gelato::sim {
namespace {

// A trace of one row per position with entropy uniform on [0, most) and matches drawn from
// exp(-decay H).
DraftTrace drawn(double decay, double most, std::size_t positions) {
  DraftTrace trace = gelato::testing::sample_trace(1, 1);
  trace.target_tokens.assign(positions, 1);
  trace.prompts[0].positions = static_cast<std::uint32_t>(positions);
  trace.tokens.clear();
  Rng rng(3, std::string_view("stats"));
  for (std::size_t i = 0; i < positions; ++i) {
    const double h = most * rng.uniform();
    trace.tokens.push_back(
        {.entropy = static_cast<float>(h),
         .top_p = static_cast<std::uint16_t>(1 + rng.below(8)),
         .match = rng.uniform() < std::exp(-decay * h) ? std::uint8_t{1} : std::uint8_t{0}});
  }
  return trace;
}

TEST(TraceStats, FindsTheDecayThatMatchesWereDrawnWith) {
  for (const double decay : {0.05, 0.35, 2.0}) {
    const DraftTrace trace = drawn(decay, 4.0, 20000);
    const EntropyFit fit = fit_entropy(trace, entropy_bins(trace, 0.25));
    // Five standard errors: a false alarm once in two million; seeds are fixed anyway.
    EXPECT_NEAR(fit.decay, decay, 5 * fit.standard_error);
    EXPECT_LT(fit.standard_error, 0.03 * decay);
    EXPECT_LT(fit.calibration_error, 0.02);
  }
}

TEST(TraceStats, FitsTracesInWhichAllOrNothingIsAccepted) {
  DraftTrace trace = drawn(0.35, 4.0, 100);
  for (TraceToken& token : trace.tokens) {
    token.match = 1;
  }
  EXPECT_NEAR(fit_entropy(trace, {}).decay, 0.0, 1e-12);
  for (TraceToken& token : trace.tokens) {
    token.match = 0;
  }
  EXPECT_NEAR(fit_entropy(trace, {}).decay, kMaxDecay, 1e-9);
}

TEST(TraceStats, BinsHoldEveryRowOnce) {
  const DraftTrace trace = drawn(0.35, 4.0, 1000);
  const auto bins = entropy_bins(trace, 0.5);
  ASSERT_EQ(bins.size(), 8U);
  std::size_t rows = 0;
  for (const EntropyBin& bin : bins) {
    rows += bin.rows;
    EXPECT_LE(bin.low, bin.mean_entropy);
    EXPECT_LT(bin.mean_entropy, bin.high);
  }
  EXPECT_EQ(rows, 1000U);
  EXPECT_GT(bins.front().acceptance, bins.back().acceptance);
}

TEST(TraceStats, SetsAddUp) {
  DraftTrace trace = gelato::testing::sample_trace(3, 4);
  const auto sets = set_stats(trace);
  ASSERT_EQ(sets.size(), 3U);
  EXPECT_EQ(sets[0].set, "stories");
  EXPECT_EQ(sets[0].prompts, 2U);
  EXPECT_EQ(sets[1].ended, 1U);
  EXPECT_EQ(sets[2].positions, sets[0].positions + sets[1].positions);

  // Every token matches but the last of each continuation.
  for (std::size_t i = 0; i < trace.tokens.size(); ++i) {
    trace.tokens[i].match = i % 4 == 3 ? 0 : 1;
  }
  EXPECT_DOUBLE_EQ(set_stats(trace).back().mean_accepted, 3.0);
  EXPECT_DOUBLE_EQ(set_stats(trace).back().acceptance, 1.0);
}

TEST(TraceStats, TopSetsCostAsEquationTwoSays) {
  DraftTrace trace = drawn(0.35, 4.0, 4);
  trace.vocabulary = 4096;
  trace.top_p = 0.99;
  const std::uint16_t sizes[] = {1, 2, 3, 10};
  for (std::size_t i = 0; i < 4; ++i) {
    trace.tokens[i].top_p = sizes[i];
  }
  const TopSetStats stats = top_set_stats(trace, Bits(16));
  EXPECT_DOUBLE_EQ(stats.mean, 4.0);
  EXPECT_EQ(stats.median, 2U);
  EXPECT_EQ(stats.max, 10U);
  EXPECT_DOUBLE_EQ(stats.mean_payload.value(), 4.0 * (16 + 12));
  EXPECT_DOUBLE_EQ(stats.full_payload.value(), 4096.0 * 16);
  EXPECT_NEAR(stats.mass_lost, 0.01, 1e-12);
  EXPECT_EQ(stats.histogram, (std::vector<std::size_t>{1, 2, 0, 1}));
}

}  // namespace
}  // namespace gelato::sim
