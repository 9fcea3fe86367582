// Bytes across an emulated link, on a virtual clock.
#include "gelato/device/relay_lane.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "gelato/base/clock.h"

namespace gelato::device {
namespace {

using link::Direction;

class RelayLaneTest : public ::testing::Test {
 protected:
  static link::LinkEmulator emulated(const std::string& spec) {
    return link::LinkEmulator::create(link::parse_link_spec(spec).value(), {}, 1, Seconds(0))
        .value();
  }
  static std::vector<std::uint8_t> bytes(std::size_t n, std::uint8_t first = 0) {
    std::vector<std::uint8_t> out(n);
    for (std::size_t i = 0; i < n; ++i) {
      out[i] = static_cast<std::uint8_t>(first + i);
    }
    return out;
  }
  // Takes all that the lane delivers at `now`.
  static std::vector<std::uint8_t> drain(RelayLane& lane, Seconds now) {
    std::vector<std::uint8_t> out;
    for (auto some = lane.arrived(now); !some.empty(); some = lane.arrived(now)) {
      const std::size_t n = std::min<std::size_t>(some.size(), 7);  // in odd pieces
      out.insert(out.end(), some.begin(), some.begin() + static_cast<std::ptrdiff_t>(n));
      lane.delivered(n);
    }
    return out;
  }
};

TEST_F(RelayLaneTest, WithoutALinkBytesPassAtOnceAndInOrder) {
  RelayLane lane(nullptr, Direction::kUp);
  EXPECT_TRUE(lane.arrived({}).empty());
  EXPECT_EQ(lane.room({}), RelayLane::kChunk);
  lane.take(bytes(100), {});
  lane.take(bytes(50, 100), {});
  EXPECT_EQ(drain(lane, {}), bytes(150));
  EXPECT_TRUE(lane.empty());
  EXPECT_TRUE(std::isinf(lane.next_arrival().value()));
  EXPECT_TRUE(std::isinf(lane.next_room({}).value()));
}

TEST_F(RelayLaneTest, BytesArriveWhenTheLinkSaysSo) {
  auto link = emulated("rate=1mbit,delay=40ms");
  RelayLane lane(&link, Direction::kUp);
  lane.take(bytes(1250), Seconds(1));  // 10 ms on the air
  EXPECT_DOUBLE_EQ(lane.next_arrival().value(), 1.05);
  EXPECT_TRUE(lane.arrived(Seconds(1.0499)).empty());
  EXPECT_EQ(drain(lane, Seconds(1.0501)), bytes(1250));
}

// A sender that writes whenever there is room gets the link's rate, and is stopped in time.
TEST_F(RelayLaneTest, AGreedySenderGetsTheRateOfTheLinkAndNoMore) {
  auto link = emulated("rate=1mbit,delay=20ms");
  RelayLane lane(&link, Direction::kDown);
  VirtualClock clock;
  std::size_t delivered = 0;
  std::size_t taken = 0;
  Seconds longest_wait;
  while (clock.now() < Seconds(10)) {
    for (std::size_t room = lane.room(clock.now()); room > 0; room = lane.room(clock.now())) {
      lane.take(bytes(room), clock.now());
      taken += room;
      longest_wait = std::max(longest_wait, link.backlog(Direction::kDown, clock.now()));
    }
    delivered += drain(lane, clock.now()).size();
    clock.advance(std::min(lane.next_arrival(), lane.next_room(clock.now())) - clock.now());
  }
  EXPECT_NEAR(static_cast<double>(delivered), 10.0 * 1e6 / 8, 50e3);
  EXPECT_LT(taken - delivered, 60e3);
  // What is taken last may still be a whole chunk.
  EXPECT_LE(longest_wait.value(),
            RelayLane::kMaxBacklog.value() + 8.0 * RelayLane::kChunk / 1e6 + 1e-9);
}

TEST_F(RelayLaneTest, WhatIsOnTheWayIsBounded) {
  auto link = emulated("rate=10gbit,delay=10s");
  RelayLane lane(&link, Direction::kUp);
  std::size_t taken = 0;
  for (std::size_t room = lane.room({}); room > 0; room = lane.room({})) {
    lane.take(bytes(room), {});
    taken += room;
  }
  EXPECT_EQ(taken, RelayLane::kMaxHeld);
  EXPECT_EQ(drain(lane, Seconds(10.1)).size(), taken);
  EXPECT_EQ(lane.room(Seconds(10.1)), RelayLane::kChunk);
}

TEST_F(RelayLaneTest, AnOutageHoldsBytesBackUntilItIsOver) {
  auto link = emulated("rate=1mbit,delay=10ms,outage=60s@1s");
  RelayLane lane(&link, Direction::kUp);
  lane.take(bytes(125), Seconds(2));
  EXPECT_NEAR(lane.next_room(Seconds(2)).value(), 60.75, 0.01);
  EXPECT_NEAR(lane.next_arrival().value(), 61.011, 0.001);
  EXPECT_TRUE(lane.arrived(Seconds(61)).empty());
  EXPECT_EQ(drain(lane, Seconds(61.012)).size(), 125U);
}

}  // namespace
}  // namespace gelato::device
