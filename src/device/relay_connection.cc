#include "relay_connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace gelato::device {
namespace {

// A connection begins with a packet each way, of headers alone: TCP and IPv4, 20 bytes each.
constexpr std::uint64_t kHandshakeBytes = 40;

Seconds packet(link::LinkEmulator* link, link::Direction direction, Seconds now) {
  return link != nullptr ? link->send(direction, now, kHandshakeBytes) : now;
}

void add(std::vector<pollfd>& polled, const Descriptor& descriptor, bool read, bool write) {
  const int events = (read ? POLLIN : 0) | (write ? POLLOUT : 0);
  if (events != 0) {  // without, a closed peer would wake poll() again and again
    polled.push_back({.fd = descriptor.get(), .events = static_cast<short>(events), .revents = 0});
  }
}

}  // namespace

RelayConnection::RelayConnection(Descriptor device, const std::string& edge,
                                 link::LinkEmulator* link, Seconds now)
    : device_(std::move(device)),
      name_(&edge),
      link_(link),
      up_{RelayLane(link, link::Direction::kUp)},
      down_{RelayLane(link, link::Direction::kDown)},
      until_(packet(link, link::Direction::kUp, now)) {}

Result<void> RelayConnection::try_next_address() {
  std::string reason = "the name has no address";
  while (!addresses_.empty()) {
    const SocketAddress address = addresses_.back();
    addresses_.pop_back();
    auto begun = begin_connect(address);
    if (begun) {
      edge_ = std::move(*begun);
      return {};
    }
    reason = begun.error().message;
  }
  return fail(ErrorCode::kUnavailable,
              fmt::format("cannot connect to edge {}: {}", *name_, reason));
}

// Goes on with opening the connection. True once bytes can flow.
Result<bool> RelayConnection::open(Seconds now) {
  if (state_ == State::kAsking && now >= until_) {
    auto found = resolve(*name_);
    if (!found) {
      return fail(found.error());
    }
    addresses_.assign(found->rbegin(), found->rend());
    if (auto ok = try_next_address(); !ok) {
      return fail(ok.error());
    }
    state_ = State::kConnecting;
  }
  if (state_ == State::kConnecting) {
    const auto connected = is_connected(edge_);
    if (!connected && addresses_.empty()) {
      return fail(ErrorCode::kUnavailable,
                  fmt::format("cannot connect to edge {}: {}", *name_, connected.error().message));
    }
    if (!connected) {
      const auto next = try_next_address();
      return next ? Result<bool>(false) : fail(next.error());
    }
    if (*connected) {
      state_ = State::kAnswering;
      until_ = packet(link_, link::Direction::kDown, now);
    }
  }
  if (state_ == State::kAnswering && now >= until_) {
    state_ = State::kOpen;
  }
  return state_ == State::kOpen;
}

Result<bool> RelayConnection::advance(Seconds now, WireBytes& wire) {
  const auto opened = open(now);
  if (!opened || !*opened) {
    return opened ? Result<bool>(true) : fail(opened.error());
  }
  return pump(up_, device_, edge_, now, wire.up) && pump(down_, edge_, device_, now, wire.down) &&
         !(up_.told && down_.told);
}

// False: one of the two is broken.
bool RelayConnection::pump(Flow& flow, const Descriptor& from, const Descriptor& to, Seconds now,
                           std::uint64_t& count) {
  std::array<std::uint8_t, RelayLane::kChunk> buffer;
  std::size_t n = 0;
  Moved moved = Moved::kSome;
  while (!flow.ended && moved == Moved::kSome && flow.lane.room(now) > 0) {
    moved = read_some(from, std::span(buffer).first(flow.lane.room(now)), n);
    if (moved == Moved::kSome) {
      flow.lane.take(std::span(buffer).first(n), now);
      count += n;
    }
    flow.ended = moved == Moved::kEnd;
  }
  flow.blocked = false;
  while (moved != Moved::kBroken && !flow.blocked && !flow.lane.arrived(now).empty()) {
    moved = write_some(to, flow.lane.arrived(now), n);
    if (moved == Moved::kSome) {
      flow.lane.delivered(n);
    }
    flow.blocked = moved == Moved::kNothingNow;
  }
  if (flow.ended && flow.lane.empty() && !flow.told) {
    flow.told = true;
    (void)::shutdown(to.get(), SHUT_WR);
  }
  return moved != Moved::kBroken;
}

void RelayConnection::watch(std::vector<pollfd>& polled, Seconds now) const {
  if (state_ == State::kConnecting) {
    add(polled, edge_, false, true);
  } else if (state_ == State::kOpen) {
    add(polled, device_, !up_.ended && up_.lane.room(now) > 0, down_.blocked);
    add(polled, edge_, !down_.ended && down_.lane.room(now) > 0, up_.blocked);
  }
}

// A receiver that takes no more is poll()'s to watch.
Seconds RelayConnection::wake_at(const Flow& flow, Seconds now) {
  const Seconds room = flow.lane.next_room(now);
  return flow.blocked ? room : std::min(room, flow.lane.next_arrival());
}

Seconds RelayConnection::wake_at(Seconds now) const {
  switch (state_) {
    case State::kAsking:
    case State::kAnswering:
      return until_;
    case State::kConnecting:
      break;
    case State::kOpen:
      return std::min(wake_at(up_, now), wake_at(down_, now));
  }
  return Seconds(std::numeric_limits<double>::infinity());
}

void RelayConnection::reset() {
  reset_on_close(device_);
  if (edge_.valid()) {
    reset_on_close(edge_);
  }
}

}  // namespace gelato::device
