#include "gelato/link/channel.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "gelato/base/rng.h"
#include "tests/link/statistics.h"

namespace gelato::link {
namespace {

constexpr double kForever = std::numeric_limits<double>::infinity();

std::shared_ptr<const ChannelModel> constant(double rate) {
  return std::make_shared<const ConstantChannel>(BitsPerSecond(rate));
}

RadioChannel radio_channel(const Radio& radio, std::uint64_t seed = 1) {
  return RadioChannel::create(radio, seed).value();
}

TEST(ShannonRate, FollowsTheFormula) {
  // Signal to noise ratio 2 * 3e-6 / (1e-12 * 2e6) = 3: log2(4) = 2 bit/s per hertz.
  EXPECT_NEAR(shannon_rate(Hertz(2e6), Watts(2), 3e-6, WattsPerHertz(1e-12)).value(), 4e6, 1e-3);
  EXPECT_EQ(shannon_rate(Hertz(2e6), Watts(2), 0.0, WattsPerHertz(1e-12)).value(), 0.0);
}

TEST(ConstantChannel, NeverChanges) {
  const auto channel = constant(5e5);
  EXPECT_EQ(channel->rate_at(Seconds(0)), BitsPerSecond(5e5));
  EXPECT_EQ(channel->state_at(Seconds(1e6)).until.value(), kForever);
  EXPECT_DOUBLE_EQ(transmit_end(*channel, Seconds(2), Bits(1e6)).value(), 4.0);
  EXPECT_EQ(transmit_end(*channel, Seconds(2), Bits(0)), Seconds(2));
  EXPECT_EQ(transmit_end(*channel, Seconds(-2), Bits(0)), Seconds(0));
}

TEST(TransmitEnd, IsNeverOnAChannelThatStaysSilent) {
  EXPECT_EQ(transmit_end(*constant(0), Seconds(0), Bits(1)).value(), kForever);
}

TEST(OutageChannel, IsSilentInItsWindowsOnly) {
  const OutageChannel channel(constant(1000), {{Seconds(1), Seconds(2)}, {Seconds(3), Seconds(1)}});
  EXPECT_EQ(channel.rate_at(Seconds(0.999)), BitsPerSecond(1000));
  EXPECT_EQ(channel.state_at(Seconds(0)).until, Seconds(1));
  EXPECT_EQ(channel.rate_at(Seconds(1)), BitsPerSecond(0));
  EXPECT_EQ(channel.state_at(Seconds(1.5)).until, Seconds(3));
  EXPECT_EQ(channel.rate_at(Seconds(3.5)), BitsPerSecond(0));
  EXPECT_EQ(channel.rate_at(Seconds(4)), BitsPerSecond(1000));
  EXPECT_EQ(channel.state_at(Seconds(4)).until.value(), kForever);
  // Half a second before the cut, half a second after both.
  EXPECT_DOUBLE_EQ(transmit_end(channel, Seconds(0.5), Bits(1000)).value(), 4.5);
}

TEST(RadioChannel, WithoutFadingIsShannonOverThePathLoss) {
  Radio radio;
  radio.fading = Fading::kNone;
  radio.margin = Decibels(7);
  const RadioChannel channel = radio_channel(radio);
  // 104.6438 dB at 100 m (path_loss_test.cc) and the margin; -174 + 66.9897 dBm of noise in 5 MHz.
  const double snr_db = 23.0 - 104.643832 - 7.0 + 174.0 - 10.0 * std::log10(5e6);
  const double want = 5e6 * std::log2(1.0 + std::pow(10.0, snr_db / 10.0));
  EXPECT_NEAR(channel.rate_at(Seconds(3)).value() / want, 1.0, 1e-6);
  EXPECT_NEAR(10.0 * std::log10(channel.gain_at(Seconds(3))), -111.643832, 1e-6);
  EXPECT_EQ(channel.state_at(Seconds(3)).until.value(), kForever);
}

TEST(RadioChannel, FadesInBlocksThatDependOnNothingButSeedAndTime) {
  const RadioChannel a = radio_channel(Radio{}, 7);
  const RadioChannel b = radio_channel(Radio{}, 7);
  const RadioChannel other = radio_channel(Radio{}, 8);
  for (int i = 500; i >= 0; --i) {
    const Seconds t(0.04 * i + 0.01);
    EXPECT_EQ(a.gain_at(t), b.gain_at(t));
    EXPECT_EQ(a.gain_at(t), a.gain_at(t + Seconds(0.02)));
    EXPECT_NE(a.gain_at(t), a.gain_at(t + Seconds(0.04)));
    EXPECT_NE(a.gain_at(t), other.gain_at(t));
  }
}

TEST(RadioChannel, StatesHoldUntilALaterTime) {
  Rng rng(1, "times");
  for (const double coherence : {0.04, 0.1, 0.007, 1.0 / 3.0}) {
    Radio radio;
    radio.coherence = Seconds(coherence);
    const RadioChannel channel = radio_channel(radio);
    for (int i = 0; i < 2000; ++i) {
      // Also exactly on boundaries, where division rounds either way.
      const double t =
          i % 2 == 0 ? coherence * static_cast<double>(rng.below(1000000)) : 1e5 * rng.uniform();
      const ChannelState state = channel.state_at(Seconds(t));
      ASSERT_GT(state.until.value(), t);
      ASSERT_LE(state.until.value(), t + coherence * (1.0 + 1e-9));
    }
  }
}

// The gain of a Rayleigh channel over its mean is Exp(1). False alarm 1e-6.
TEST(RadioChannel, RayleighGainsAreExponential) {
  Radio still;
  still.fading = Fading::kNone;
  const double mean_gain = radio_channel(still).gain_at(Seconds(0));
  const RadioChannel channel = radio_channel(Radio{}, 3);
  std::vector<double> gains;
  gains.reserve(20000);
  for (int block = 0; block < 20000; ++block) {
    gains.push_back(channel.gain_at(Seconds(0.04 * (block + 0.5))) / mean_gain);
  }
  EXPECT_LT(testing::ks_distance(gains, [](double g) { return 1.0 - std::exp(-g); }),
            testing::ks_limit(gains.size()));
}

// E[log2(1 + g s)] = e^(1/s) E1(1/s) / ln 2 for g ~ Exp(1): the ergodic capacity (Alouini and
// Goldsmith, IEEE Trans. Veh. Technol. 48(4), 1999, eq. 34). E1 by its series.
TEST(RadioChannel, LongTransfersRunAtTheErgodicCapacity) {
  Radio radio;
  radio.distance = Metres(300);  // about 9 dB
  Radio still = radio;
  still.fading = Fading::kNone;
  const double s = std::exp2(radio_channel(still).rate_at(Seconds(0)).value() / 5e6) - 1.0;
  const double x = 1.0 / s;
  double e1 = -0.5772156649015329 - std::log(x);
  double term = 1.0;
  for (int k = 1; k < 40; ++k) {
    term *= -x / k;
    e1 -= term / k;
  }
  const double capacity = 5e6 * std::exp(x) * e1 / std::log(2.0);

  const RadioChannel channel = radio_channel(radio, 5);
  constexpr int kBlocks = 50000;
  const Seconds duration(0.04 * kBlocks);
  const Seconds end = transmit_end(channel, Seconds(0), BitsPerSecond(capacity) * duration);
  // log2(1 + g s) is a contraction of log2(g), whose standard deviation is pi / (sqrt(6) ln 2) =
  // 1.85 (a Gumbel distribution): five standard errors, false alarm below 6e-7.
  const double spread = 1.85 * 5e6 / capacity / std::sqrt(static_cast<double>(kBlocks));
  EXPECT_NEAR(end / duration, 1.0, testing::kFiveSigma * spread);
}

TEST(RadioChannel, RefusesWhatCannotWork) {
  const auto error = [](auto change) {
    Radio radio;
    change(radio);
    const auto channel = RadioChannel::create(radio, 1);
    return channel ? std::string() : channel.error().message;
  };
  EXPECT_EQ(error([](Radio&) {}), "");
  EXPECT_NE(error([](Radio& r) { r.distance = Metres(6000); }).find("6000 m"), std::string::npos);
  EXPECT_NE(error([](Radio& r) { r.coherence = Seconds(0); }), "");
  EXPECT_NE(error([](Radio& r) { r.bandwidth = Hertz(std::nan("")); }), "");
  EXPECT_NE(error([](Radio& r) { r.power_dbm = Decibels(std::nan("")); }), "");
  EXPECT_NE(error([](Radio& r) {
              r.power_dbm = Decibels(-40);
              r.distance = Metres(5000);
            }).find("shorten the distance"),
            std::string::npos);
}

}  // namespace
}  // namespace gelato::link
