// The real server on loopback, with a toy target.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gelato/base/clock.h"
#include "gelato/base/log.h"
#include "gelato/edge/edge_server.h"
#include "tests/edge/raw_device.h"
#include "tests/edge/toy_target.h"

namespace gelato::edge {
namespace {

class Serving : public ::testing::Test {
 protected:
  void start(const ServerOptions& options) {
    auto server = EdgeServer::start(target_, toy_served(4), options, clock_, log_);
    ASSERT_TRUE(server.has_value()) << server.error().message;
    server_ = std::move(*server);
  }
  static ServerOptions options() {
    ServerOptions out;
    out.listen = "127.0.0.1:0";
    out.scheduler.admission.sessions = 6;
    return out;
  }

  toy::ToyModel model_ = toy::ToyModel::random({.n_vocab = 4, .order = 2, .sharpness = 4.0}, 1);
  ToyTarget target_{model_};
  SteadyClock clock_;
  NullLog log_;
  std::unique_ptr<EdgeServer> server_;
};

TEST_F(Serving, VerifiesAGreedyGeneration) {
  start(options());
  const auto channel = connect(server_->port());
  RawDevice device(channel);
  const std::vector<spec::Token> prompt = {1, 2, 3};
  const std::vector<spec::Token> want = model_.greedy_text(prompt, 12);
  EXPECT_EQ(device.open(toy_open(4, proto::WireMode::kIds, prompt)).committed, 3U);

  auto verdict = device.verify(RawDevice::draft(0, 3, {want[0], want[1], (want[2] + 1) % 4}));
  EXPECT_EQ(verdict.accepted, 2U);
  EXPECT_EQ(verdict.next, want[2]);
  verdict = device.verify(RawDevice::draft(1, 6, {want[3], want[4]}));
  EXPECT_EQ(verdict.accepted, 2U);
  EXPECT_EQ(verdict.next, want[5]);
  device.send(proto::Close{});
  EXPECT_EQ(device.expect<proto::Closed>().committed, 9U);
  EXPECT_EQ(device.end().message, "");
}

}  // namespace
}  // namespace gelato::edge
