// The device against the real edge server over loopback.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

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

TEST_F(RemoteNet, AsksWhatTheEdgeServes) {
  auto transport = GrpcTransport::create(address(), {}).value();
  const auto info = transport->info(Seconds(5));
  ASSERT_TRUE(info.has_value()) << info.error().message;
  EXPECT_EQ(info->model.name, "toy");
  EXPECT_EQ(info->model.n_vocab, 6);
}

}  // namespace
}  // namespace gelato::device
