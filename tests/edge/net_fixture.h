// The real server on loopback, with a toy target.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gelato/base/clock.h"
#include "gelato/base/log.h"
#include "gelato/edge/edge_server.h"
#include "tests/edge/raw_device.h"
#include "tests/edge/toy_target.h"
#include "tests/support/temp_dir.h"

namespace gelato::edge {

// Waits for what another thread is about to do; false if it does not within the test's deadline.
template <class Condition>
bool eventually(Condition condition) {
  const auto until = std::chrono::steady_clock::now() + kTestDeadline;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) {
      return false;
    }
    std::this_thread::yield();
  }
  return true;
}

class NetTest : public ::testing::Test {
 protected:
  static constexpr spec::Token kVocab = 4;

  static ServerOptions options() {
    ServerOptions out;
    out.version = "1.2.3";
    out.listen = "127.0.0.1:0";
    out.scheduler.admission.sessions = 6;
    out.scheduler.admission.sessions_per_client = 6;
    return out;
  }
  void start(const ServerOptions& options) {
    auto server = EdgeServer::start(*target_, toy_served(kVocab), options, clock_, log_);
    ASSERT_TRUE(server.has_value()) << server.error().message;
    server_ = std::move(*server);
    channel_ = connect(server_->port());
  }
  static std::string refused(const ServerOptions& options) {
    toy::ToyModel model = toy::ToyModel::random({.n_vocab = kVocab}, 1);
    ToyTarget target(model);
    SteadyClock clock;
    NullLog log;
    const auto server = EdgeServer::start(target, toy_served(kVocab), options, clock, log);
    return server ? "" : server.error().message;
  }
  static proto::Open greedy(std::vector<spec::Token> prompt = {1, 2, 3}) {
    return toy_open(kVocab, proto::WireMode::kIds, std::move(prompt));
  }
  [[nodiscard]] std::uint64_t errors(proto::ErrorKind kind) const {
    return server_->metrics().errors[static_cast<std::size_t>(kind)];
  }
  // One round that only a healthy session can have: the device asks for a token and gets it.
  void expect_served(RawDevice& device, std::uint32_t round) {
    const auto verdict = device.verify(RawDevice::draft(round, 3 + round, {}));
    EXPECT_EQ(verdict.number, round + 1);
    EXPECT_TRUE(verdict.next.has_value());
  }

  toy::ToyModel model_ =
      toy::ToyModel::random({.n_vocab = kVocab, .order = 2, .sharpness = 4.0}, 1);
  std::unique_ptr<ToyTarget> target_ = std::make_unique<ToyTarget>(model_, 1024U, 12U, 512U);
  SteadyClock clock_;
  NullLog log_;
  testing::TempDir folder_;
  std::unique_ptr<EdgeServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace gelato::edge
