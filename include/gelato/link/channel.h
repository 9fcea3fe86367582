// How fast a link is, and when that changes: constant, recorded, or a radio channel by Shannon's
// formula. Every model is a piecewise-constant function of time and a pure function of its
// parameters and seed, so that time can be asked for in any order and a transfer can be integrated
// exactly. Times are seconds since the link started; a time before zero counts as zero.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "gelato/base/result.h"
#include "gelato/base/units.h"
#include "gelato/link/path_loss.h"

namespace gelato::link {

using WattsPerHertz = Quantity<struct WattsPerHertzTag>;

// Limits of every way to describe a link. Slower than kMinRate in the long run, one draft takes
// minutes; beyond kMaxLoss no transport keeps a connection.
inline constexpr BitsPerSecond kMinRate{1e3};
inline constexpr BitsPerSecond kMaxRate{1e11};
inline constexpr Seconds kMaxDelay{60.0};
inline constexpr double kMaxLoss = 0.5;

// The channel at one instant.
struct ChannelState {
  BitsPerSecond rate;  // >= 0
  Seconds until;       // the state holds before this time; infinity: for ever
  // One-way delay and probability that a packet is lost, where the channel itself knows them (a
  // recorded trace may); elsewhere the link's specification says.
  std::optional<Seconds> delay;
  std::optional<double> loss;
};

// Implementations are immutable: safe from any thread.
class ChannelModel {
 public:
  virtual ~ChannelModel() = default;
  // The state at `t`, and until when it holds: `until` > t, but for rounding of the last bit.
  [[nodiscard]] virtual ChannelState state_at(Seconds t) const = 0;
  [[nodiscard]] BitsPerSecond rate_at(Seconds t) const { return state_at(t).rate; }
};

// When the last of `amount` has been sent if sending starts at `from` and has the channel to
// itself: the first T with integral of rate from `from` to T = amount. Infinity if the channel
// never carries that much. Preconditions: `from` finite, `amount` finite and >= 0. Cost: one
// state_at() per change of the channel on the way.
[[nodiscard]] Seconds transmit_end(const ChannelModel& channel, Seconds from, Bits amount);

// Always the same rate.
class ConstantChannel final : public ChannelModel {
 public:
  explicit ConstantChannel(BitsPerSecond rate) : rate_(rate) {}
  [[nodiscard]] ChannelState state_at(Seconds t) const override;

 private:
  BitsPerSecond rate_;
};

// A window in which nothing gets through: [begin, begin + duration).
struct Outage {
  Seconds begin;
  Seconds duration;
  friend bool operator==(const Outage&, const Outage&) = default;
};

// Another channel, with its rate zero during outages.
class OutageChannel final : public ChannelModel {
 public:
  // Precondition: `outages` in order of time and disjoint, durations > 0.
  OutageChannel(std::shared_ptr<const ChannelModel> channel, std::vector<Outage> outages);
  [[nodiscard]] ChannelState state_at(Seconds t) const override;

 private:
  std::shared_ptr<const ChannelModel> channel_;
  std::vector<Outage> outages_;
};

// Capacity of a channel with additive white Gaussian noise, r = B log2(1 + p h / (N0 B)), as in
// GELATO (arXiv 2605.10124) eq. 2 and ENACHI (arXiv 2601.08135): bandwidth B > 0, transmit power p,
// power gain h (a ratio), noise density N0 > 0.
[[nodiscard]] BitsPerSecond shannon_rate(Hertz bandwidth, Watts power, double gain,
                                         WattsPerHertz noise);

// Small-scale fading of the power gain.
enum class Fading {
  kNone,      // the mean gain, always
  kRayleigh,  // gain times an independent Exp(1) draw in each block of one coherence time
};

// A radio channel. The defaults that are not obvious:
struct Radio {
  Fading fading = Fading::kRayleigh;
  Hertz bandwidth{5e6};    // the middle of GELATO's sweep of 1 to 10 MHz
  Decibels power_dbm{23};  // a phone's transmit power (3GPP power class 3), and GELATO's
  Metres distance{100};    // horizontal
  Hertz carrier{3.5e9};    // the 5G band most in use
  PathLossModel path_loss = PathLossModel::kUmiNlos;
  Decibels noise_dbm_hz{-174};  // N0: thermal noise at 290 K per hertz
  Decibels margin{0};           // further loss: noise figure, shadowing, interference
  // 0.423 c / (v f) (Rappaport, Wireless Communications, 2nd ed., eq. 5.40.c) at walking pace,
  // 0.9 m/s, and 3.5 GHz.
  Seconds coherence{0.04};
  friend bool operator==(const Radio&, const Radio&) = default;
};

// Shannon rate over path loss and block fading. The gain of block k is a pure function of
// (seed, stream "link/fading", k), by inverse CDF; shadow fading is not drawn (see Radio::margin).
class RadioChannel final : public ChannelModel {
 public:
  // Errors: kInvalidArgument: a distance or carrier that the path loss model does not cover; a
  // non-positive or non-finite bandwidth or coherence time; a mean gain that carries less than
  // kMinRate.
  static Result<RadioChannel> create(const Radio& radio, std::uint64_t seed);

  [[nodiscard]] ChannelState state_at(Seconds t) const override;
  // h of shannon_rate(): path loss, margin and fading. For controllers that choose the power.
  [[nodiscard]] double gain_at(Seconds t) const;
  [[nodiscard]] const Radio& radio() const { return radio_; }

 private:
  RadioChannel(const Radio& radio, std::uint64_t seed, double mean_gain);
  [[nodiscard]] std::uint64_t block_at(Seconds t) const;
  [[nodiscard]] double block_gain(std::uint64_t block) const;

  Radio radio_;
  std::uint64_t seed_;
  double mean_gain_;
};

}  // namespace gelato::link
