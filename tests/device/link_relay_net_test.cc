// The relay with plain sockets, and between a device and the real edge server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "gelato/device/link_relay.h"
#include "src/device/sockets.h"
#include "tests/device/event_log.h"
#include "tests/device/toy_server.h"

namespace gelato::device {
namespace {

using proto::WireMode;
using ::testing::HasSubstr;
using toy::ToyModel;

// Longest wait for something that takes no time: only a failing test reaches it.
constexpr int kPatienceMs = 20000;

std::optional<link::LinkEmulator> emulated(const std::string& spec, const Clock& clock) {
  return link::LinkEmulator::create(link::parse_link_spec(spec).value(), {}, 1, clock.now())
      .value();
}

bool wait_for(const Descriptor& descriptor, int events) {
  pollfd one{.fd = descriptor.get(), .events = static_cast<short>(events), .revents = 0};
  return ::poll(&one, 1, kPatienceMs) == 1;
}

// A connection through a relay to a socket of this test.
class RelaySockets : public ::testing::Test {
 protected:
  void connect(std::optional<link::LinkEmulator> link) {
    listener_ = std::move(*listen_on_loopback());
    relay_ = LinkRelay::start(
                 {.edge = "127.0.0.1:" + std::to_string(listener_.port), .link = std::move(link)},
                 clock_)
                 .value();
    near_ = std::move(*begin_connect(resolve(relay_->endpoint()).value().front()));
    ASSERT_TRUE(wait_for(listener_.descriptor, POLLIN));
    far_ = accept_from(listener_.descriptor);
    ASSERT_TRUE(far_.valid());
  }
  static void send_all(const Descriptor& to, std::span<const std::uint8_t> bytes) {
    while (!bytes.empty()) {
      std::size_t n = 0;
      ASSERT_TRUE(wait_for(to, POLLOUT));
      if (write_some(to, bytes, n) == Moved::kSome) {
        bytes = bytes.subspan(n);
      }
    }
  }
  static std::vector<std::uint8_t> receive(const Descriptor& from, std::size_t count) {
    std::vector<std::uint8_t> out;
    std::vector<std::uint8_t> buffer(65536);
    while (out.size() < count && wait_for(from, POLLIN)) {
      std::size_t n = 0;
      if (read_some(from, buffer, n) != Moved::kSome) {
        break;
      }
      out.insert(out.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(n));
    }
    return out;
  }
  static std::vector<std::uint8_t> noise(std::size_t n) {
    Rng rng(1, "noise");
    std::vector<std::uint8_t> out(n);
    std::generate(out.begin(), out.end(), [&] { return static_cast<std::uint8_t>(rng.bits()); });
    return out;
  }

  SteadyClock clock_;
  Listener listener_;
  std::unique_ptr<LinkRelay> relay_;
  Descriptor near_;
  Descriptor far_;
};

TEST_F(RelaySockets, PassesBytesBothWaysAndCountsThem) {
  connect(std::nullopt);
  send_all(near_, noise(100'000));
  EXPECT_EQ(receive(far_, 100'000), noise(100'000));
  send_all(far_, noise(70'000));
  EXPECT_EQ(receive(near_, 70'000), noise(70'000));
  EXPECT_EQ(relay_->wire().up, 100'000U);
  EXPECT_EQ(relay_->wire().down, 70'000U);
  EXPECT_EQ(relay_->failure(), "");
}

TEST_F(RelaySockets, AnEmulatedLinkTakesItsTimeAndLosesNothing) {
  connect(emulated("rate=20mbit,delay=3ms,jitter=2ms,loss=5%,rto=5ms", clock_));
  const Seconds begin = clock_.now();
  send_all(near_, noise(50'000));  // 20 ms on the air
  EXPECT_EQ(receive(far_, 50'000), noise(50'000));
  EXPECT_GE(clock_.now() - begin, Seconds(0.023));
}

// What is sent meanwhile fills the relay's buffers and the kernel's, not the memory.
TEST_F(RelaySockets, AReceiverThatReadsNothingStopsTheSender) {
  connect(std::nullopt);
  constexpr std::size_t kTooMuch = std::size_t{64} << 20U;
  const std::vector<std::uint8_t> some = noise(65536);
  std::size_t sent = 0;
  pollfd writable{.fd = near_.get(), .events = POLLOUT, .revents = 0};
  // Stops when the socket takes nothing more for a moment; how long that is decides nothing else.
  while (sent < kTooMuch && ::poll(&writable, 1, 200) == 1) {
    std::size_t n = 0;
    if (write_some(near_, some, n) == Moved::kSome) {
      sent += n;
    }
  }
  EXPECT_LT(sent, kTooMuch);
  EXPECT_EQ(receive(far_, sent).size(), sent);
}

TEST_F(RelaySockets, TheEndOfOneDirectionIsPassedOnBehindItsBytes) {
  connect(emulated("rate=10mbit,delay=5ms", clock_));
  send_all(near_, noise(1000));
  ::shutdown(near_.get(), SHUT_WR);
  EXPECT_EQ(receive(far_, 2000), noise(1000)) << "and then the end";
  send_all(far_, noise(500));
  EXPECT_EQ(receive(near_, 500), noise(500)) << "the other direction still works";
}

TEST_F(RelaySockets, HeldBytesArriveLaterAndASeveredConnectionIsReset) {
  connect(std::nullopt);
  relay_->hold(true);
  send_all(near_, noise(100));
  EXPECT_EQ(relay_->wire().up, 0U);
  relay_->hold(false);
  EXPECT_EQ(receive(far_, 100), noise(100));
  relay_->sever(true);
  std::size_t n = 0;
  std::vector<std::uint8_t> buffer(10);
  ASSERT_TRUE(wait_for(near_, POLLIN));
  EXPECT_EQ(read_some(near_, buffer, n), Moved::kBroken);
  ASSERT_TRUE(wait_for(far_, POLLIN));
  EXPECT_EQ(read_some(far_, buffer, n), Moved::kBroken);
}

TEST_F(RelaySockets, SaysWhyTheEdgeCannotBeReached) {
  const auto port = listen_on_loopback()->port;  // closed again
  for (const auto& [edge, why] :
       {std::pair{"127.0.0.1:" + std::to_string(port), "Connection refused"},
        std::pair{std::string("edge.invalid:1"), "cannot find the host of edge.invalid:1"}}) {
    auto relay = LinkRelay::start({.edge = edge, .link = {}}, clock_).value();
    const auto near = begin_connect(resolve(relay->endpoint()).value().front());
    ASSERT_TRUE(near.has_value());
    ASSERT_TRUE(wait_for(*near, POLLIN));
    EXPECT_THAT(relay->failure(), HasSubstr(why));
  }
}

// A generation across a relay.
class RelayedDevice : public ::testing::Test {
 protected:
  void SetUp() override { server_.start(); }
  void relay(std::optional<link::LinkEmulator> link) {
    relay_ =
        LinkRelay::start({.edge = server_.endpoint(), .link = std::move(link)}, clock_).value();
  }
  std::unique_ptr<ToyDevice> device(RemoteOptions options = ToyDevice::quick()) {
    EdgeAddress address;
    address.endpoint = relay_->endpoint();
    address.authority = server_.endpoint();
    address.insecure = true;
    return std::make_unique<ToyDevice>(draft_, address, WireMode::kIds, 1, std::move(options),
                                       log_);
  }
  std::vector<spec::Token> target_text(std::size_t n) { return target_.greedy_text(prompt_, n); }

  const std::vector<spec::Token> prompt_{1, 0};
  ToyModel target_ = ToyModel::random({.n_vocab = 6, .order = 3, .sharpness = 3.0}, 1);
  ToyModel draft_ = ToyModel::mix(
      target_, ToyModel::random({.n_vocab = 6, .order = 3, .sharpness = 3.0}, 2), 0.4);
  ToyServer server_{target_};
  SteadyClock clock_;
  EventLog log_;
  std::unique_ptr<LinkRelay> relay_;
};

TEST_F(RelayedDevice, WireBytesAreMeasuredAndTheFramingIsSmall) {
  relay(std::nullopt);
  const auto writer = device();
  ASSERT_TRUE(writer->write(prompt_, "static:4", 300));
  EXPECT_EQ(writer->sink.tokens(), target_text(300));
  const Traffic messages = writer->transport->traffic();
  const WireBytes wire = relay_->wire();
  const auto rounds = writer->verifier->stats().requests;
  std::printf("%llu rounds: up %llu bytes of messages, %llu on the wire; down %llu and %llu\n",
              static_cast<unsigned long long>(rounds),
              static_cast<unsigned long long>(messages.up_bytes),
              static_cast<unsigned long long>(wire.up),
              static_cast<unsigned long long>(messages.down_bytes),
              static_cast<unsigned long long>(wire.down));
  EXPECT_GT(wire.up, messages.up_bytes);
  EXPECT_GT(wire.down, messages.down_bytes);
  // Per message 5 bytes of gRPC, 9 of HTTP/2, and two window updates of 13 that gRPC sends along;
  // the rest is what a connection and a call begin with.
  EXPECT_LT(wire.up - messages.up_bytes, 40 * rounds + 1000);
  EXPECT_LT(wire.down - messages.down_bytes, 40 * rounds + 1000);
}

TEST_F(RelayedDevice, TheEstimateOfTheLinkIsNoBetterThanTheLink) {
  relay(emulated("rate=5mbit,delay=2ms,jitter=1ms", clock_));
  const auto writer = device();
  ASSERT_TRUE(writer->write(prompt_, "static:4", 120));
  EXPECT_EQ(writer->sink.tokens(), target_text(120));
  const auto link = writer->verifier->link();
  EXPECT_GT(link.rounds, 10U);
  EXPECT_GE(link.min_rtt.value + link.min_rtt.standard_error, Seconds(0.004));
  control::CostEstimate cost;
  writer->verifier->estimate(cost);
  EXPECT_GE(cost.round_trip, Seconds(0.003));
  EXPECT_GT(cost.verify_base, Seconds(0));
  EXPECT_GT(cost.uplink_bits_per_round, Bits(0));
}

TEST_F(RelayedDevice, ACutLinkIsWaitedForAndTheTextIsTheSame) {
  for (const char* policy : {"static:4", "edge-only"}) {
    relay(std::nullopt);
    log_.on_warning = [&] { relay_->sever(false); };
    const auto writer = device();
    writer->sink.at(50, [&] { relay_->sever(true); });
    const auto stats = writer->write(prompt_, policy, 300);
    ASSERT_TRUE(stats.has_value()) << stats.error().message;
    EXPECT_EQ(writer->sink.tokens(), target_text(300)) << policy;
    EXPECT_GE(writer->verifier->stats().losses, 1U);
  }
  EXPECT_GE(server_->metrics().resumed, 2U);
}

TEST_F(RelayedDevice, ALinkThatGoesSilentIsFoundOutAndResumed) {
  relay(std::nullopt);
  log_.on_warning = [&] { relay_->hold(false); };
  RemoteOptions options = ToyDevice::quick();
  options.answer_timeout = Seconds(0.2);
  const auto writer = device(options);
  writer->sink.at(50, [&] { relay_->hold(true); });
  const auto stats = writer->write(prompt_, "static:4", 300);
  ASSERT_TRUE(stats.has_value()) << stats.error().message;
  EXPECT_EQ(writer->sink.tokens(), target_text(300));
  EXPECT_THAT(log_.lines.front(), HasSubstr("no answer came within"));
  EXPECT_GE(server_->metrics().resumed, 1U);
}

TEST_F(RelayedDevice, WhileTheLinkIsCutTheDraftGoesOnAndTheTargetAfterIt) {
  relay(std::nullopt);
  RemoteOptions options = ToyDevice::quick();
  options.when_offline = WhenOffline::kDraft;
  const auto writer = device(options);
  writer->context_tokens = 60000;
  writer->sink.at(50, [&] { relay_->sever(true); });
  std::size_t alone = 0;
  std::size_t together_again = 0;
  writer->sink.on_each([&] {
    if (writer->sink.origins().back() != Origin::kDraft) {
      together_again += alone > 0 ? 1 : 0;
      if (together_again == 20) {
        writer->sink.stop_after(0);
      }
      return;
    }
    // A draft model takes its time; without it, the text would be full before the link is back.
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (++alone == 30) {
      relay_->sever(false);
    }
  });
  const auto stats = writer->write(prompt_, "static:4", 0);
  ASSERT_TRUE(stats.has_value()) << stats.error().message;
  EXPECT_EQ(stats->stop, StopReason::kSink);
  EXPECT_EQ(stats->unverified,
            static_cast<std::uint64_t>(std::count(writer->sink.origins().begin(),
                                                  writer->sink.origins().end(), Origin::kDraft)));
  EXPECT_GE(stats->unverified, 30U);
  // From where the target took over again, the text is its own.
  const auto& origins = writer->sink.origins();
  const auto& tokens = writer->sink.tokens();
  const auto back = std::find(origins.rbegin(), origins.rend(), Origin::kDraft).base();
  const auto at = back - origins.begin();
  std::vector<spec::Token> text = prompt_;
  text.insert(text.end(), tokens.begin(), tokens.begin() + at);
  EXPECT_EQ(target_.greedy_text(text, tokens.size() - static_cast<std::size_t>(at)),
            std::vector<spec::Token>(tokens.begin() + at, tokens.end()));
}

}  // namespace
}  // namespace gelato::device
