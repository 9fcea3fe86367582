// One connection through the relay: from the device's socket across the link to the edge's.
#pragma once

#include <poll.h>

#include <string>
#include <vector>

#include "gelato/base/units.h"
#include "gelato/device/link_relay.h"
#include "gelato/device/relay_lane.h"
#include "sockets.h"

namespace gelato::device {

// One thread.
class RelayConnection {
 public:
  // `link` may be null; it and `edge` must outlive this.
  RelayConnection(Descriptor device, const std::string& edge, link::LinkEmulator* link,
                  Seconds now);

  // Moves what can be moved without waiting, and adds it to `wire`. False: the connection is over.
  // Errors: kUnavailable, why there is no connection to the edge; the connection is over too.
  Result<bool> advance(Seconds now, WireBytes& wire);
  // Appends what poll() is to watch.
  void watch(std::vector<pollfd>& polled, Seconds now) const;
  // When advance() is due though no socket has anything to tell; infinity: never.
  [[nodiscard]] Seconds wake_at(Seconds now) const;
  // The connection ends: both sides are told by a reset.
  void reset();

 private:
  enum class State : std::uint8_t { kAsking, kConnecting, kAnswering, kOpen };
  // One direction, with the state of its two ends.
  struct Flow {
    RelayLane lane;
    bool ended = false;    // nothing more will be read
    bool told = false;     // and the receiver knows
    bool blocked = false;  // the receiver takes no more for the moment
  };
  Result<bool> open(Seconds now);
  Result<void> try_next_address();
  static bool pump(Flow& flow, const Descriptor& from, const Descriptor& to, Seconds now,
                   std::uint64_t& count);
  [[nodiscard]] static Seconds wake_at(const Flow& flow, Seconds now);

  Descriptor device_;
  Descriptor edge_;
  const std::string* name_;
  link::LinkEmulator* link_;
  Flow up_;
  Flow down_;
  State state_ = State::kAsking;
  Seconds until_;                         // of kAsking and kAnswering
  std::vector<SocketAddress> addresses_;  // still to be tried, the next one last
};

}  // namespace gelato::device
