#include "gelato/link/channel.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <utility>

#include "gelato/base/rng.h"

namespace gelato::link {
namespace {

constexpr double kForever = std::numeric_limits<double>::infinity();

WattsPerHertz noise_density(Decibels dbm_hz) {
  return WattsPerHertz(watts_from_dbm(dbm_hz).value());
}

BitsPerSecond rate_with_gain(const Radio& radio, double gain) {
  return shannon_rate(radio.bandwidth, watts_from_dbm(radio.power_dbm), gain,
                      noise_density(radio.noise_dbm_hz));
}

}  // namespace

Seconds transmit_end(const ChannelModel& channel, Seconds from, Bits amount) {
  assert(std::isfinite(from.value()) && std::isfinite(amount.value()) && amount.value() >= 0.0);
  Seconds t = std::max(from, Seconds(0));
  while (amount > Bits(0)) {
    const ChannelState state = channel.state_at(t);
    if (state.rate > BitsPerSecond(0)) {
      const Seconds end = t + amount / state.rate;
      if (end <= state.until) {
        return end;
      }
      amount -= state.rate * (state.until - t);
    } else if (state.until.value() == kForever) {
      return state.until;
    }
    // A boundary that rounds to the instant itself must not stop the walk.
    t = std::max(state.until, Seconds(std::nextafter(t.value(), kForever)));
  }
  return t;
}

ChannelState ConstantChannel::state_at(Seconds /*t*/) const {
  return {rate_, Seconds(kForever), std::nullopt, std::nullopt};
}

OutageChannel::OutageChannel(std::shared_ptr<const ChannelModel> channel,
                             std::vector<Outage> outages)
    : channel_(std::move(channel)), outages_(std::move(outages)) {}

ChannelState OutageChannel::state_at(Seconds t) const {
  t = std::max(t, Seconds(0));
  ChannelState state = channel_->state_at(t);
  const auto next = std::find_if(outages_.begin(), outages_.end(),
                                 [t](const Outage& o) { return t < o.begin + o.duration; });
  if (next == outages_.end()) {
    return state;
  }
  if (t < next->begin) {
    state.until = std::min(state.until, next->begin);
  } else {
    state.rate = BitsPerSecond(0);
    state.until = next->begin + next->duration;
  }
  return state;
}

BitsPerSecond shannon_rate(Hertz bandwidth, Watts power, double gain, WattsPerHertz noise) {
  const double snr = power.value() * gain / (noise.value() * bandwidth.value());
  return BitsPerSecond(bandwidth.value() * std::log1p(snr) / std::log(2.0));
}

RadioChannel::RadioChannel(const Radio& radio, std::uint64_t seed, double mean_gain)
    : radio_(radio), seed_(seed), mean_gain_(mean_gain) {}

Result<RadioChannel> RadioChannel::create(const Radio& radio, std::uint64_t seed) {
  const auto positive = [](double x) { return std::isfinite(x) && x > 0.0; };
  if (!positive(radio.bandwidth.value()) || !positive(radio.coherence.value())) {
    return fail(ErrorCode::kInvalidArgument,
                "a radio channel needs a positive bandwidth and coherence time");
  }
  const auto loss = path_loss(radio.path_loss, radio.distance, radio.carrier);
  if (!loss) {
    return fail(loss.error());
  }
  const double mean_gain = ratio_from_db(-(*loss + radio.margin));
  const BitsPerSecond mean_rate = rate_with_gain(radio, mean_gain);
  if (!(mean_rate >= kMinRate)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("the radio channel carries {:.3g} bit/s at {} m: shorten the distance "
                            "or raise the power",
                            mean_rate.value(), radio.distance.value()));
  }
  return RadioChannel(radio, seed, mean_gain);
}

std::uint64_t RadioChannel::block_at(Seconds t) const {
  const Seconds since = std::max(t, Seconds(0));
  auto block = static_cast<std::uint64_t>(since / radio_.coherence);
  // The division may round a block's own beginning into the block before.
  if (static_cast<double>(block + 1) * radio_.coherence <= since) {
    ++block;
  }
  return block;
}

double RadioChannel::block_gain(std::uint64_t block) const {
  if (radio_.fading == Fading::kNone) {
    return mean_gain_;
  }
  // Inverse CDF of Exp(1). 1 - u lies in (0, 1], so the logarithm is finite.
  const double u = Rng(seed_, stream_id("link/fading"), block).uniform();
  return mean_gain_ * -std::log1p(-u);
}

double RadioChannel::gain_at(Seconds t) const { return block_gain(block_at(t)); }

ChannelState RadioChannel::state_at(Seconds t) const {
  if (radio_.fading == Fading::kNone) {
    return {rate_with_gain(radio_, mean_gain_), Seconds(kForever), std::nullopt, std::nullopt};
  }
  const std::uint64_t block = block_at(t);
  return {rate_with_gain(radio_, block_gain(block)),
          static_cast<double>(block + 1) * radio_.coherence, std::nullopt, std::nullopt};
}

}  // namespace gelato::link
