#include "gelato/link/link_emulator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "tests/link/statistics.h"

namespace gelato::link {
namespace {

LinkEmulator emulator(std::string_view spec, std::uint64_t seed = 1, Seconds start = Seconds(0),
                      const Trace& trace = {}) {
  return LinkEmulator::create(parse_link_spec(spec).value(), trace, seed, start).value();
}

TEST(LinkEmulator, SerialisesThenDelays) {
  LinkEmulator link = emulator("up=1mbit,down=8mbit,delay=40ms");
  // 1250 bytes are 10 ms up and 1.25 ms down.
  EXPECT_NEAR(link.send(Direction::kUp, Seconds(1), 1250).value(), 1.050, 1e-12);
  EXPECT_NEAR(link.send(Direction::kDown, Seconds(1), 1250).value(), 1.04125, 1e-12);
  EXPECT_NEAR(link.send(Direction::kUp, Seconds(2), 0).value(), 2.040, 1e-12);
}

TEST(LinkEmulator, QueuesWhatComesTooFastAndDirectionsApart) {
  LinkEmulator link = emulator("rate=1mbit,delay=40ms");
  EXPECT_NEAR(link.send(Direction::kUp, Seconds(0), 12500).value(), 0.14, 1e-12);
  EXPECT_NEAR(link.backlog(Direction::kUp, Seconds(0.03)).value(), 0.07, 1e-12);
  EXPECT_NEAR(link.send(Direction::kUp, Seconds(0.03), 12500).value(), 0.24, 1e-12);
  EXPECT_NEAR(link.send(Direction::kDown, Seconds(0.03), 1250).value(), 0.08, 1e-12);
  EXPECT_EQ(link.backlog(Direction::kUp, Seconds(0.3)), Seconds(0));
  EXPECT_NEAR(link.send(Direction::kUp, Seconds(0.3), 1250).value(), 0.35, 1e-12);
}

TEST(LinkEmulator, CountsTimeFromItsStart) {
  LinkEmulator link = emulator("rate=1mbit,outage=1s@1s", 1, Seconds(1000));
  EXPECT_NEAR(link.send(Direction::kUp, Seconds(1000), 125000).value(), 1001.0, 1e-9);
  EXPECT_NEAR(link.send(Direction::kUp, Seconds(1001.5), 125000).value(), 1003.0, 1e-9);
  // What was sent before the start leaves at the start.
  LinkEmulator late = emulator("rate=1mbit", 1, Seconds(1000));
  EXPECT_NEAR(late.send(Direction::kUp, Seconds(0), 125000).value(), 1001.0, 1e-9);
}

TEST(LinkEmulator, OutagesStopTheBitsInBothDirections) {
  LinkEmulator link = emulator("rate=1mbit,delay=40ms,outage=10s@5s");
  for (const Direction direction : {Direction::kUp, Direction::kDown}) {
    // Half of it before the cut, half after.
    EXPECT_NEAR(link.send(direction, Seconds(4.5), 125000).value(), 15.54, 1e-9);
    EXPECT_NEAR(link.send(direction, Seconds(6), 1250).value(), 15.55, 1e-9);
  }
  EXPECT_EQ(link.channel(Direction::kUp).rate_at(Seconds(7)), BitsPerSecond(0));
}

TEST(LinkEmulator, TracesBringTheirOwnDelayAndLoss) {
  const Trace trace = parse_trace("0 1e6 0.010 0\n1 1e6 0.300 0.5\n").value();
  LinkEmulator link = emulator("trace=t,delay=40ms,rto=1s", 1, Seconds(0), trace);
  EXPECT_NEAR(link.send(Direction::kUp, Seconds(0), 1250).value(), 0.020, 1e-12);
  int late = 0;
  for (int i = 1; i <= 400; ++i) {
    const Seconds now(100.0 * i);
    const double took = (link.send(Direction::kUp, now, 1250) - now).value();
    EXPECT_GE(took, 0.310 - 1e-9);
    late += took > 1.0 ? 1 : 0;
  }
  EXPECT_NEAR(late, 200, testing::kFiveSigma * std::sqrt(400 * 0.25));
}

TEST(LinkEmulator, IsAFunctionOfItsSeed) {
  constexpr std::string_view kSpec = "rate=1mbit,delay=5ms,jitter=20ms,loss=10%";
  LinkEmulator a = emulator(kSpec, 1);
  LinkEmulator b = emulator(kSpec, 1);
  LinkEmulator other = emulator(kSpec, 2);
  int different = 0;
  for (int i = 0; i < 100; ++i) {
    const Seconds now(i);
    b.send(Direction::kDown, now, 99);  // does not disturb the other direction
    const Seconds arrival = a.send(Direction::kUp, now, 500);
    EXPECT_EQ(arrival, b.send(Direction::kUp, now, 500));
    different += arrival != other.send(Direction::kUp, now, 500) ? 1 : 0;
  }
  EXPECT_GT(different, 95);
}

TEST(LinkEmulator, NeverReorders) {
  LinkEmulator link = emulator("rate=10mbit,delay=5ms,jitter=200ms,loss=10%");
  Rng rng(1, "sizes");
  Seconds last;
  int clamped = 0;
  for (int i = 0; i < 5000; ++i) {
    const Seconds arrival = link.send(Direction::kUp, Seconds(0.01 * i), 1 + rng.below(3000));
    ASSERT_GE(arrival, last);
    clamped += arrival == last ? 1 : 0;
    last = arrival;
  }
  EXPECT_GT(clamped, 1000);  // the jitter would have reordered them
}

// Total bits over the time of the last, whatever the messages' sizes: exact for a constant rate.
TEST(LinkEmulator, SaturatedThroughputIsTheRate) {
  LinkEmulator link = emulator("rate=3mbit,jitter=10ms,delay=20ms");
  Rng rng(1, "sizes");
  std::uint64_t sent = 0;
  for (int i = 0; i < 10000; ++i) {
    const std::uint64_t size = rng.below(5000);
    sent += size;
    link.send(Direction::kUp, Seconds(0), size);
  }
  const Seconds busy = link.backlog(Direction::kUp, Seconds(0));
  EXPECT_NEAR(8.0 * static_cast<double>(sent) / busy.value() / 3e6, 1.0, 1e-9);
}

TEST(LinkEmulator, SaturatedThroughputOfAFadingLinkIsItsMeanRate) {
  LinkEmulator link = emulator("paper,distance=300m");
  for (int i = 0; i < 2000; ++i) {
    link.send(Direction::kUp, Seconds(0), 100000);
  }
  const Seconds busy = link.backlog(Direction::kUp, Seconds(0));
  const auto blocks = static_cast<int>(busy / Seconds(0.04));
  Bits carried;
  for (int i = 0; i < blocks; ++i) {
    carried += link.channel(Direction::kUp).rate_at(Seconds(0.04 * (i + 0.5))) * Seconds(0.04);
  }
  EXPECT_NEAR(carried.value() / 1.6e9, 1.0, 2.0 / blocks * 3.0);  // but for a part of one block
}

// A packet takes 1/(1-p) transmissions, with variance p/(1-p)^2. False alarm 6e-7.
TEST(LinkEmulator, LossCostsAirtime) {
  LinkEmulator link = emulator("rate=1mbit,loss=20%");
  constexpr int kMessages = 2000;
  constexpr int kPackets = 10;
  for (int i = 0; i < kMessages; ++i) {
    link.send(Direction::kUp, Seconds(0), kPackets * kPacketBytes);
  }
  const double n = kMessages * kPackets;
  const double per_packet = link.backlog(Direction::kUp, Seconds(0)).value() / 0.012 / n;
  EXPECT_NEAR(per_packet, 1.25, testing::kFiveSigma * std::sqrt(0.2 / 0.64 / n));
}

// A message of one packet is k timeouts late with probability p^k (1-p); one of n packets waits for
// its unluckiest. False alarm 6e-7 each.
TEST(LinkEmulator, LossCostsTimeouts) {
  constexpr int kMessages = 20000;
  for (const int packets : {1, 4}) {
    LinkEmulator link = emulator("rate=1gbit,loss=20%,rto=1s");
    std::vector<int> late(60);
    for (int i = 0; i < kMessages; ++i) {
      const Seconds now(100.0 * i);
      const double took =
          (link.send(Direction::kUp, now, static_cast<std::uint64_t>(packets) * kPacketBytes) - now)
              .value();
      ++late.at(static_cast<std::size_t>(took));
    }
    double at_most_before = 0.0;
    for (int k = 0; k < 4; ++k) {
      const double at_most = std::pow(1.0 - std::pow(0.2, k + 1), packets);
      const double share = at_most - at_most_before;
      EXPECT_NEAR(late.at(static_cast<std::size_t>(k)), kMessages * share,
                  testing::kFiveSigma * std::sqrt(kMessages * share * (1.0 - share)))
          << packets << " packets, " << k << " timeouts";
      at_most_before = at_most;
    }
  }
}

// False alarm 1e-6.
TEST(LinkEmulator, JitterIsUniform) {
  LinkEmulator link = emulator("rate=1gbit,delay=40ms,jitter=10ms");
  std::vector<double> jitter;
  for (int i = 0; i < 20000; ++i) {
    const Seconds now(i);
    jitter.push_back((link.send(Direction::kDown, now, 0) - now).value() - 0.04);
  }
  const auto uniform = [](double j) { return std::clamp(j / 0.01, 0.0, 1.0); };
  EXPECT_LT(testing::ks_distance(jitter, uniform), testing::ks_limit(jitter.size()));
}

TEST(LinkEmulator, ARadioLinkHasTheSameGainBothWaysUnlessDownIsGiven) {
  const LinkEmulator link = emulator("paper");
  const LinkEmulator wired = emulator("paper,down=20mbit");
  for (double t = 0.0; t < 10.0; t += 0.1) {
    const Seconds at(t);
    EXPECT_EQ(link.channel(Direction::kUp).rate_at(at), link.channel(Direction::kDown).rate_at(at));
    EXPECT_EQ(link.channel(Direction::kUp).rate_at(at), wired.channel(Direction::kUp).rate_at(at));
    EXPECT_EQ(wired.channel(Direction::kDown).rate_at(at), BitsPerSecond(2e7));
  }
}

TEST(LinkEmulator, RefusesASpecificationThatTheParserWouldRefuse) {
  const auto error = [](const LinkSpec& spec) {
    const auto link = LinkEmulator::create(spec, {}, 1, Seconds(0));
    return link ? std::string() : link.error().message;
  };
  EXPECT_EQ(error(LinkSpec{}), "");
  LinkSpec spec;
  spec.loss = 0.6;
  EXPECT_NE(error(spec).find("loss=60%"), std::string::npos);
  spec.loss = 0.0;
  spec.up = TraceReplay{"a,loss=1%", std::nullopt};
  EXPECT_NE(error(spec).find("cannot be written as text"), std::string::npos);
  spec.up = TraceReplay{"a", std::nullopt};
  EXPECT_NE(error(spec).find("rows"), std::string::npos);
}

}  // namespace
}  // namespace gelato::link
