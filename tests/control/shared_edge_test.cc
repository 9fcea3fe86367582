#include "gelato/control/shared_edge.h"

#include <gtest/gtest.h>

#include "gelato/control/round_estimate.h"

namespace gelato::control {
namespace {

// 40 ms a pass and 1 ms a token, drafts of 5 ms a token, 30 ms on the way.
CostEstimate shared_cost(double devices) {
  CostEstimate cost;
  cost.draft_token = milliseconds(5);
  cost.round_trip = milliseconds(30);
  cost.queue = milliseconds(7);
  cost.verify_base = milliseconds(40);
  cost.others = milliseconds(9);
  cost.verify_token = milliseconds(1);
  cost.devices = devices;
  return cost;
}

TEST(SharedEdge, AloneIsWhatItCosts) {
  for (const double devices : {0.0, 1.0}) {
    const CostEstimate cost = usable(shared_cost(devices));
    const SharedEdge all = if_all_did(cost, 4.0);
    for (const CostEstimate& seen : {all.draft, all.burst}) {
      EXPECT_EQ(seen.queue, cost.queue);
      EXPECT_EQ(seen.others, cost.others);
      EXPECT_EQ(round_time(seen, 5), round_time(cost, 5));
    }
    EXPECT_EQ(all.imposed, Seconds());
  }
}

TEST(SharedEdge, ABurstsPassesHoldOneTokenOfEach) {
  const SharedEdge all = if_all_did(shared_cost(8.0), 4.0);
  EXPECT_NEAR(verify_time(all.burst, 0).value(), 0.040 + 7 * 0.001, 1e-12);
  EXPECT_NEAR(all.burst.queue.value(), 0.0235, 1e-12);
}

// Two equations of the closed network hold at the fixed point: the wait is 0.3 of a pass for the
// share of the time in which another one runs, and those who come during a pass share the next.
TEST(SharedEdge, DraftsOfAllAreAFixedPoint) {
  for (const double devices : {2.0, 4.0, 8.0, 64.0}) {
    const SharedEdge all = if_all_did(shared_cost(devices), 4.0);
    const double away = 4 * 0.005 + 0.030;
    const double pass = verify_time(all.draft, 4).value();
    const double wait = all.draft.queue.value();
    const double arrivals = (devices - 1.0) * pass / (away + wait + pass);
    const double busy = std::min(1.0, arrivals);
    EXPECT_NEAR(wait, 0.3 * busy * pass, 0.01 * pass) << devices;
    EXPECT_NEAR(pass, 0.044 + busy * arrivals * 0.005, 0.01 * pass) << devices;
  }
}

TEST(SharedEdge, ATokenCostsWhatItMakesAllWait) {
  Seconds before = shared_cost(1.0).verify_token;
  for (const double devices : {2.0, 4.0, 8.0, 16.0, 64.0}) {
    const SharedEdge all = if_all_did(shared_cost(devices), 4.0);
    EXPECT_GT(all.draft.verify_token, before) << devices;
    EXPECT_LT(all.draft.verify_token.value(), 1.5 * devices * 0.001) << devices;
    before = all.draft.verify_token;
  }
}

// Where passes are shared anyway, a burst brings no pass that would not be.
TEST(SharedEdge, ABurstImposesPassesOnlyWhereTheEdgeWouldRest) {
  const Seconds two = if_all_did(shared_cost(2.0), 4.0).imposed;
  EXPECT_GT(two.value(), 0.001);
  EXPECT_LT(if_all_did(shared_cost(64.0), 4.0).imposed, 1e-3 * two);
}

TEST(SharedEdge, NoCostsNoDevices) {
  CostEstimate cost;
  cost.devices = 5.0;
  const SharedEdge all = if_all_did(usable(cost), 4.0);
  EXPECT_EQ(verify_time(all.draft, 8), Seconds());
}

}  // namespace
}  // namespace gelato::control
