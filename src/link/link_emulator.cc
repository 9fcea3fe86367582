#include "gelato/link/link_emulator.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

namespace gelato::link {
namespace {

using ChannelPtr = std::shared_ptr<const ChannelModel>;

template <class Channel>
Result<ChannelPtr> share(Result<Channel> channel) {
  if (!channel) {
    return fail(channel.error());
  }
  return std::make_shared<const Channel>(*std::move(channel));
}

Result<ChannelPtr> make_up(const ConstantRate& up, const Trace& /*trace*/, std::uint64_t /*seed*/) {
  return std::make_shared<const ConstantChannel>(up.rate);
}

Result<ChannelPtr> make_up(const TraceReplay& up, const Trace& trace, std::uint64_t /*seed*/) {
  return share(TraceChannel::create(trace, up.repeat));
}

Result<ChannelPtr> make_up(const Radio& up, const Trace& /*trace*/, std::uint64_t seed) {
  return share(RadioChannel::create(up, seed));
}

ChannelPtr with_outages(ChannelPtr channel, const std::vector<Outage>& outages) {
  if (outages.empty()) {
    return channel;
  }
  return std::make_shared<const OutageChannel>(std::move(channel), outages);
}

// How often a packet is lost before it gets through: P(n or more) = loss^n, by inverse CDF. A draw
// is at least 2^-53, so n is at most 53 at the largest loss allowed, 1/2.
double draw_losses(double loss, Rng& rng) {
  return std::floor(std::log(1.0 - rng.uniform()) / std::log(loss));
}

// What sending a message takes.
struct Transmission {
  Bits airtime;              // bits on the air, packets sent again included
  double most_losses = 0.0;  // of any one packet
};

Transmission draw_transmission(std::uint64_t bytes_to_send, double loss, Rng& rng) {
  Transmission sent{bytes(static_cast<double>(bytes_to_send)), 0.0};
  if (loss <= 0.0) {
    return sent;
  }
  std::uint64_t left = bytes_to_send;
  do {
    const std::uint64_t packet = std::min(left, kPacketBytes);
    const double losses = draw_losses(loss, rng);
    sent.airtime += losses * bytes(static_cast<double>(packet));
    sent.most_losses = std::max(sent.most_losses, losses);
    left -= packet;
  } while (left > 0);
  return sent;
}

}  // namespace

Result<LinkChannels> make_channels(const LinkSpec& spec, const Trace& trace, std::uint64_t seed) {
  // The parser is the one place that knows what is allowed.
  const auto checked = parse_link_spec(to_string(spec));
  if (!checked || *checked != spec) {
    return fail(checked ? Error{ErrorCode::kInvalidArgument,
                                "the link specification cannot be written as text: \"" +
                                    to_string(spec) + "\" says something else"}
                        : checked.error());
  }
  auto up = std::visit([&](const auto& u) { return make_up(u, trace, seed); }, spec.up);
  if (!up) {
    return fail(up.error());
  }
  ChannelPtr down = spec.down ? std::make_shared<const ConstantChannel>(*spec.down) : *up;
  return LinkChannels{with_outages(*std::move(up), spec.outages),
                      with_outages(std::move(down), spec.outages)};
}

Result<LinkEmulator> LinkEmulator::create(const LinkSpec& spec, const Trace& trace,
                                          std::uint64_t seed, Seconds start) {
  auto channels = make_channels(spec, trace, seed);
  if (!channels) {
    return fail(channels.error());
  }
  return LinkEmulator(spec, *std::move(channels), seed, start);
}

LinkEmulator::LinkEmulator(const LinkSpec& spec, LinkChannels channels, std::uint64_t seed,
                           Seconds start)
    : delay_(spec.delay),
      jitter_(spec.jitter),
      rto_(spec.rto),
      loss_(spec.loss),
      start_(start),
      up_{std::move(channels.up), Rng(seed, "link/up"), {}, {}},
      down_{std::move(channels.down), Rng(seed, "link/down"), {}, {}} {}

Seconds LinkEmulator::send(Direction direction, Seconds now, std::uint64_t bytes) {
  assert(std::isfinite(now.value()));
  Lane& way = lane(direction);
  const Seconds begin = std::max({now - start_, way.free_at, Seconds(0)});
  const ChannelState state = way.channel->state_at(begin);
  const Transmission sent = draw_transmission(bytes, state.loss.value_or(loss_), way.rng);
  way.free_at = transmit_end(*way.channel, begin, sent.airtime);
  const Seconds arrival = way.free_at + state.delay.value_or(delay_) + jitter_ * way.rng.uniform() +
                          rto_ * sent.most_losses;
  way.last_arrival = std::max(way.last_arrival, arrival);
  return start_ + way.last_arrival;
}

Seconds LinkEmulator::backlog(Direction direction, Seconds now) const {
  return std::max(lane(direction).free_at - (now - start_), Seconds(0));
}

const ChannelModel& LinkEmulator::channel(Direction direction) const {
  return *lane(direction).channel;
}

}  // namespace gelato::link
