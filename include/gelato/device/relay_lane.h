// One direction of one relayed connection: bytes on their way across an emulated link. No sockets
// and no waiting; LinkRelay does that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "gelato/base/units.h"
#include "gelato/link/link_emulator.h"

namespace gelato::device {

// Not thread-safe.
class RelayLane {
 public:
  // Bytes that are on the way at most. The link carries no more than kMaxHeld per one-way delay:
  // 160 Mbit/s at 100 ms.
  static constexpr std::size_t kMaxHeld = std::size_t{2} << 20U;
  // Bytes are taken only while those before them wait no longer for their turn, as the send buffer
  // of a modem would; so whoever sends too much learns of it.
  static constexpr Seconds kMaxBacklog{0.25};
  // Bytes taken at once, which then arrive at once.
  static constexpr std::size_t kChunk = std::size_t{16} << 10U;

  // `link` must outlive the lane; null: bytes arrive at once.
  RelayLane(link::LinkEmulator* link, link::Direction direction)
      : link_(link), direction_(direction) {}

  // How many bytes may be taken at `now`: at most kChunk.
  [[nodiscard]] std::size_t room(Seconds now) const;
  // Takes bytes; at most room().
  void take(std::span<const std::uint8_t> bytes, Seconds now);

  // Bytes that have arrived by `now` and are not yet delivered: the first of them, or none.
  [[nodiscard]] std::span<const std::uint8_t> arrived(Seconds now) const;
  // The first `count` of arrived() are delivered.
  void delivered(std::size_t count);

  [[nodiscard]] bool empty() const { return held_ == 0; }
  // When the next bytes arrive, or arrived; infinity if nothing is on the way.
  [[nodiscard]] Seconds next_arrival() const;
  // When there is room again, if the backlog is what forbids it at `now`; else infinity.
  [[nodiscard]] Seconds next_room(Seconds now) const;

 private:
  struct Chunk {
    Seconds due;
    std::vector<std::uint8_t> bytes;
  };
  [[nodiscard]] Seconds backlog(Seconds now) const;

  link::LinkEmulator* link_;
  link::Direction direction_;
  std::deque<Chunk> chunks_;
  std::size_t front_ = 0;  // delivered bytes of the first chunk
  std::size_t held_ = 0;
};

}  // namespace gelato::device
