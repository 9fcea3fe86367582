#include "gelato/device/cost_tracker.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace gelato::device {
namespace {

// A pass of 40 ms and 1 ms per token after the first, in a round of 100 ms.
link::RoundSample round_of(std::uint32_t tokens) {
  return {.up = bytes(60.0),
          .down = bytes(30.0),
          .sent = Seconds(1.0),
          .received = Seconds(1.1),
          .queue = milliseconds(6),
          .service = Seconds(0.039 + 0.001 * tokens)};
}

TEST(RemoteCosts, TellTheOwnPassFromOtherDevicesTokens) {
  RemoteCosts costs;
  for (std::uint32_t i = 0; i < 200; ++i) {
    const std::uint32_t own = 1 + i % 5;
    const std::uint32_t others = (i * 7) % 11;
    costs.add(own - 1, {.own = own, .others = others}, round_of(own + others));
  }
  costs.shared_with(3);
  control::CostEstimate cost;
  costs.estimate(cost);
  EXPECT_NEAR(cost.verify_base.value(), 0.040, 1e-6);
  EXPECT_NEAR(cost.verify_token.value(), 0.001, 1e-6);
  EXPECT_NEAR(cost.others.value(), 0.005, 3e-4);
  EXPECT_NEAR(cost.queue.value(), 0.006, 1e-9);
  EXPECT_EQ(cost.devices, 4.0);
}

// An edge of an earlier version says nothing of other devices: their tokens stay in the pass.
TEST(RemoteCosts, AnEdgeThatDoesNotSayIsTakenForAlone) {
  RemoteCosts costs;
  for (std::uint32_t i = 0; i < 100; ++i) {
    const std::uint32_t own = 1 + i % 5;
    costs.add(own - 1, {.own = own}, round_of(own + 3));
  }
  control::CostEstimate cost;
  costs.estimate(cost);
  EXPECT_NEAR(cost.verify_base.value(), 0.043, 1e-6);
  EXPECT_NEAR(cost.verify_token.value(), 0.001, 1e-6);
  EXPECT_EQ(cost.others, Seconds());
  EXPECT_EQ(cost.devices, 1.0);
}

}  // namespace
}  // namespace gelato::device
