// The arithmetic of GELATO, arXiv 2605.10124, in its published setting.
#include "gelato/control/paper_equations.h"

#include <gtest/gtest.h>

#include <array>

#include "gelato/control/round_estimate.h"

namespace gelato::control::paper {
namespace {

// One drafted token at L = 300, by hand from equation 1:
//   6 d_m^2 + 2 d_m^2 = 8 * 802816                = 6 422 528
//   4 (300 + 1/2) d_m = 4 * 300.5 * 896           = 1 076 992
//   4 d_m d_f         = 4 * 896 * 4864            = 17 432 576
//   times 24 layers                               = 598 370 304 operations
//   / 40 GFLOPS = 14.96 ms, times 12 W = 0.1795 J: the 15.0 ms and 0.180 J of the setting.
TEST(PaperEquations, DraftTokenTakesFifteenMillisecondsAndEighteenHundredthsOfAJoule) {
  EXPECT_EQ(drafting_flops(kDraftModel, 1, 300), 598370304.0);
  EXPECT_DOUBLE_EQ(drafting_time(kDraftModel, kDevice, 1, 300).value(), 598370304.0 / 40e9);
  EXPECT_NEAR(drafting_time(kDraftModel, kDevice, 1, 300).value(), 0.0150, 0.00005);
  EXPECT_NEAR(drafting_energy(kDraftModel, kDevice, 1, 300).value(), 0.180, 0.0005);
}

// gamma = 7 over a free uplink: T^D = 104.76 ms, T = T^D + 100 ms = 204.76 ms,
// E[N] = (1 - 0.9^8) / 0.1 = 5.6953, so 27.81 tokens/s and 1.2571 J / 5.6953 = 0.2207 J/token.
TEST(PaperEquations, SevenTokensGiveThePublishedThroughputAndEnergy) {
  const Seconds drafting = drafting_time(kDraftModel, kDevice, 7, 300);
  const double tokens = expected_tokens(kRho0, 7);
  const Seconds time = step_time(drafting, Seconds(0.0), kTargetTime);
  const Joules energy = step_energy(kDevice.power * drafting, Joules(0.0));
  EXPECT_NEAR(drafting.value(), 0.10476, 0.000005);
  EXPECT_NEAR(tokens, 5.6953279, 1e-9);
  EXPECT_NEAR(tokens_per_second(tokens, time), 27.8, 0.05);
  EXPECT_NEAR(energy.value() / tokens, 0.221, 0.0005);
}

TEST(PaperEquations, LongerContextsAndDraftsCostMorePerToken) {
  EXPECT_GT(drafting_flops(kDraftModel, 1, 600), drafting_flops(kDraftModel, 1, 300));
  EXPECT_GT(drafting_flops(kDraftModel, 8, 300), 8 * drafting_flops(kDraftModel, 1, 300));
}

TEST(PaperEquations, UplinkIsShannonsAndItsEnergyIsTheRadios) {
  // h chosen such that the signal-to-noise ratio is exactly 3, so log2(1 + 3) = 2 bits/s/Hz.
  const Watts tx = watts_from_dbm(kTxPowerDbm);
  const double noise_density = watts_from_dbm(kNoiseDensityDbmPerHz).value();
  const double gain = 3.0 * noise_density * 5e6 / tx.value();
  const BitsPerSecond rate = uplink_rate(kBandwidth, tx, gain, noise_density);
  EXPECT_NEAR(rate.value(), 10e6, 1e-6 * 10e6);

  const std::array<std::uint32_t, 3> sets{4, 10, 6};
  const Bits bits = payload(sets, Bits(16), Bits(18));
  EXPECT_EQ(bits, Bits(680));
  const Seconds time = uplink_time(bits, rate);
  EXPECT_NEAR(time.value(), 68e-6, 1e-10);
  EXPECT_NEAR(uplink_energy(tx, time).value(), 0.19953 * 68e-6, 1e-9);
  EXPECT_EQ(uplink_rate(kBandwidth, tx, 0.0, noise_density), BitsPerSecond(0.0));
}

}  // namespace
}  // namespace gelato::control::paper
