// A link between device and edge, emulated: pure arithmetic on times, no sockets and no waiting. A
// live caller holds each message back until the time send() returned; a simulation advances its
// virtual clock to it.
//
// What happens to a message, in each direction independently:
//   1. It waits until everything sent before it is on its way (one FIFO, unbounded).
//   2. It is cut into packets of at most kPacketBytes and sent at the channel's rate of the moment;
//      outages are times of rate zero. Every packet is lost with the link's probability, any
//      number of times in a row, and each loss sends it again: airtime twice.
//   3. It arrives one delay, plus a uniform jitter, plus one retransmission timeout for each loss
//      of its unluckiest packet, after its last bit was sent; but never before its predecessor.
// Delay, jitter and loss are those at the time the first bit is sent.
//
// So a reliable, ordered transport is assumed on top, as gRPC has in TCP. Throughput under load is
// exactly the channel's rate, times (1 - loss). Not modelled: congestion control (the sender always
// uses the whole rate), header bytes (count them in), losses that come in bursts, and the time a
// transport may take to notice that an outage is over.
#pragma once

#include <cstdint>
#include <memory>

#include "gelato/base/result.h"
#include "gelato/base/rng.h"
#include "gelato/base/units.h"
#include "gelato/link/channel.h"
#include "gelato/link/link_spec.h"
#include "gelato/link/trace.h"

namespace gelato::link {

enum class Direction { kUp, kDown };  // device to edge, edge to device

// An Ethernet frame's payload, the usual largest packet of a radio access network too.
inline constexpr std::uint64_t kPacketBytes = 1500;

// The channels of a link, outages included. Never null; may be one object.
struct LinkChannels {
  std::shared_ptr<const ChannelModel> up;
  std::shared_ptr<const ChannelModel> down;
};

// Builds them. `trace` is what parse_trace() read from the file that a TraceReplay names, else
// empty. The same seed gives the same fading.
// Errors: kInvalidArgument: a specification that is not valid (see to_string(const LinkSpec&)), or
// a trace that TraceChannel::create() refuses.
Result<LinkChannels> make_channels(const LinkSpec& spec, const Trace& trace, std::uint64_t seed);

// One link. Not synchronised: one thread, or a lock around it. Movable, copyable: a copy continues
// on its own.
class LinkEmulator {
 public:
  // A link that starts, idle, at time `start` of the caller's clock; outages and traces count from
  // there. Deterministic: jitter and loss come from the streams "link/up" and "link/down" of
  // `seed`. Errors: as make_channels().
  static Result<LinkEmulator> create(const LinkSpec& spec, const Trace& trace, std::uint64_t seed,
                                     Seconds start);

  // Sends a message of `bytes` at time `now` and says when it arrives as a whole. Calls of one
  // direction count as sent in the order they are made. `now` must be finite.
  // Cost: one draw per packet on a lossy link, one step per change of the channel meanwhile.
  Seconds send(Direction direction, Seconds now, std::uint64_t bytes);

  // How long a message sent at `now` would wait before its first bit is sent (outages apart). A
  // live caller bounds its buffers by it.
  [[nodiscard]] Seconds backlog(Direction direction, Seconds now) const;

  // The channel's rate at time `now` of the caller's clock; 0 during an outage.
  [[nodiscard]] BitsPerSecond rate(Direction direction, Seconds now) const {
    return channel(direction).rate_at(now - start_);
  }
  // The channel, in seconds since `start`.
  [[nodiscard]] const ChannelModel& channel(Direction direction) const;

 private:
  struct Lane {
    std::shared_ptr<const ChannelModel> channel;
    Rng rng;
    Seconds free_at;       // when the last bit accepted so far has been sent
    Seconds last_arrival;  // of the messages so far
  };

  LinkEmulator(const LinkSpec& spec, LinkChannels channels, std::uint64_t seed, Seconds start);
  Lane& lane(Direction direction) { return direction == Direction::kUp ? up_ : down_; }
  [[nodiscard]] const Lane& lane(Direction direction) const {
    return direction == Direction::kUp ? up_ : down_;
  }

  Seconds delay_;
  Seconds jitter_;
  Seconds rto_;
  double loss_;
  Seconds start_;
  Lane up_;
  Lane down_;
};

}  // namespace gelato::link
