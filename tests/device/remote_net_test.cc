// The device against the real edge server over loopback.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <thread>

#include "src/device/sockets.h"
#include "tests/device/event_log.h"
#include "tests/device/toy_server.h"
#include "tests/support/chi_square.h"

namespace gelato::device {
namespace {

using proto::WireMode;
using ::testing::HasSubstr;
using toy::ToyModel;

const std::vector<spec::Token> kPrompt{1, 0};

class RemoteNet : public ::testing::Test {
 protected:
  void SetUp() override { server_.start(); }
  EdgeAddress address() {
    EdgeAddress address;
    address.endpoint = server_.endpoint();
    address.insecure = true;
    return address;
  }
  std::vector<spec::Token> target_text(std::size_t n) { return target_.greedy_text(kPrompt, n); }

  ToyModel target_ = ToyModel::random({.n_vocab = 6, .order = 3, .sharpness = 3.0}, 1);
  ToyModel draft_ = ToyModel::mix(
      target_, ToyModel::random({.n_vocab = 6, .order = 3, .sharpness = 3.0}, 2), 0.4);
  ToyServer server_{target_};
};

TEST_F(RemoteNet, WritesWhatTheTargetWrites) {
  for (const char* policy : {"static:4", "edge-only", "static:16"}) {
    ToyDevice device(draft_, address(), WireMode::kIds);
    const auto stats = device.write(kPrompt, policy, 200);
    ASSERT_TRUE(stats.has_value()) << stats.error().message;
    EXPECT_EQ(device.sink.tokens(), target_text(200)) << policy;
    const auto closed = device.verifier->close();
    ASSERT_TRUE(closed.has_value());
    EXPECT_EQ(closed->committed, 202U);
    EXPECT_EQ(closed->passes, device.verifier->stats().passes + 1) << "the prompt's";
  }
  EXPECT_TRUE(eventually([&] { return server_->metrics().sessions == 0; }));
}

// The process that drains ends; another takes its place.
TEST_F(RemoteNet, ADrainingEdgeSendsTheDeviceToItsSuccessor) {
  EventLog log;
  log.on_warning = [&] {
    server_.stop();
    server_.start();
  };
  ToyDevice device(draft_, address(), WireMode::kIds, 1, ToyDevice::quick(), log);
  device.sink.at(50, [&] { server_->drain(); });
  const auto stats = device.write(kPrompt, "static:4", 200);
  ASSERT_TRUE(stats.has_value()) << stats.error().message;
  EXPECT_EQ(device.sink.tokens(), target_text(200));
  EXPECT_THAT(log.lines.front(), HasSubstr("shutting down"));
  EXPECT_EQ(server_->metrics().opened, 1U) << "it was sent the whole text";
}

TEST_F(RemoteNet, AFullEdgeSaysSoAndTheReasonIsTold) {
  server_.stop();
  server_.options.scheduler.admission.sessions = 1;
  server_.start();
  ToyDevice first(draft_, address(), WireMode::kIds);
  ASSERT_TRUE(first.write(kPrompt, "static:4", 10));  // and keeps its session
  RemoteOptions options = ToyDevice::quick();
  options.when_offline = WhenOffline::kStop;
  ToyDevice second(draft_, address(), WireMode::kIds, 1, options);
  const auto refused = second.write(kPrompt, "static:4", 10);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(refused.error().message, HasSubstr("edge 127.0.0.1:"));
  first.verifier->close();
  EXPECT_TRUE(second.write(kPrompt, "static:4", 10)) << "now there is room";
}

TEST_F(RemoteNet, AnotherVocabularyIsRefusedInASentence) {
  const ToyModel smaller = ToyModel::random({.n_vocab = 4, .order = 1}, 1);
  ToyDevice device(smaller, address(), WireMode::kIds);
  const auto refused = device.write(kPrompt, "static:4", 10);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(refused.error().message, HasSubstr("vocabulary"));
}

// False alarms: rejection below a p-value of 1e-6, two statistics. Seeds are fixed.
TEST_F(RemoteNet, SampledTextsAreDistributedAsTheTargetsOwn) {
  constexpr std::uint64_t kTexts = 1500;
  constexpr std::size_t kLength = 3;
  const ToyModel target = ToyModel::random({.n_vocab = 3, .order = 2, .sharpness = 2.0}, 3);
  const ToyModel draft =
      ToyModel::mix(target, ToyModel::random({.n_vocab = 3, .order = 2, .sharpness = 2.0}, 4), 0.7);
  ToyServer server(target);
  server.start();
  EdgeAddress address;
  address.endpoint = server.endpoint();
  address.insecure = true;
  const auto expected = target.text_distribution(kPrompt, kLength);
  for (const WireMode mode : {WireMode::kQRow, WireMode::kDssd}) {
    std::vector<std::uint64_t> counts(expected.size());
    ToyDevice device(draft, address, mode);
    for (std::uint64_t text = 0; text < kTexts; ++text) {
      device.restart(mode, text);
      device.sink.clear();
      const auto stats = device.write(kPrompt, "static:2", kLength);
      ASSERT_TRUE(stats.has_value()) << stats.error().message;
      ++counts[toy::text_index(device.sink.tokens(), target.n_vocab())];
    }
    EXPECT_GT(toy::chi_square_p_value(counts, expected), 1e-6) << to_string(mode);
  }
}

// A port where something else answers, or nobody does.
TEST(RemoteNetStrangers, ASilentPeerIsWaitedForOnlySoLong) {
  const auto listener = listen_on_loopback().value();
  EdgeAddress address;
  address.endpoint = "127.0.0.1:" + std::to_string(listener.port);
  address.insecure = true;
  const auto transport = GrpcTransport::create(address, {}).value();
  const auto info = transport->info(Seconds(0.2));
  ASSERT_FALSE(info.has_value());
  EXPECT_EQ(info.error().code, ErrorCode::kDeadlineExceeded);
  bool asked = false;
  const auto impatient = GrpcTransport::create(address, [&] { return asked = true; }).value();
  EXPECT_EQ(impatient->info(Seconds(60)).error().code, ErrorCode::kCancelled);
  EXPECT_TRUE(asked);
}

TEST(RemoteNetStrangers, APeerThatSpeaksSomethingElseIsAnError) {
  const auto listener = listen_on_loopback().value();
  std::thread peer([&] {
    pollfd waiting{.fd = listener.descriptor.get(), .events = POLLIN, .revents = 0};
    (void)::poll(&waiting, 1, 20000);
    const Descriptor one = accept_from(listener.descriptor);
    constexpr std::string_view kOther = "HTTP/1.1 400 Bad Request\r\n\r\n";
    std::size_t written = 0;
    (void)write_some(one, {reinterpret_cast<const std::uint8_t*>(kOther.data()), kOther.size()},
                     written);
  });
  EdgeAddress address;
  address.endpoint = "127.0.0.1:" + std::to_string(listener.port);
  address.insecure = true;
  const auto transport = GrpcTransport::create(address, {}).value();
  EXPECT_FALSE(transport->info(Seconds(10)).has_value());
  peer.join();
}

TEST_F(RemoteNet, AsksWhatTheEdgeServes) {
  auto transport = GrpcTransport::create(address(), {}).value();
  const auto info = transport->info(Seconds(5));
  ASSERT_TRUE(info.has_value()) << info.error().message;
  EXPECT_EQ(info->model.name, "toy");
  EXPECT_EQ(info->model.n_vocab, 6);
}

}  // namespace
}  // namespace gelato::device
