#include "gelato/sim/oracle.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "gelato/base/rng.h"
#include "gelato/sim/sweep.h"
#include "tests/sim/settings.h"

namespace gelato::sim {
namespace {

Setting iid_setting() {
  Setting setting =
      round_setting(std::make_shared<DraftTrace>(make_synthetic_trace("iid:0.8", 2).value()));
  setting.rounds = 1500;
  setting.profile.draft_power = Watts(5.0);  // a drafted token is dearer than a pass is to wait for
  return setting;
}

// On a text in which every drafted token stands, the longest draft is best: 8 tokens and the bonus
// in 80 + 120 ms.
TEST(Oracle, KnowsTheBestDraftWhereNothingIsInDoubt) {
  Setting setting = round_setting(scripted_trace(std::vector<int>(9000, 1), 8));
  setting.rounds = 200;
  const auto run = run_oracle(setting, true, 0);
  ASSERT_TRUE(run) << run.error().message;
  EXPECT_NEAR(summarise(*run).rate, 9.0 / 0.2, 0.1);
}

// The least time that the rest of a text takes, all ways of writing it tried: drafts that stand,
// and bursts. 10 ms a drafted token, 20 ms a round trip, 100 ms a pass.
double least_time(const std::vector<int>& agrees, std::size_t from, std::vector<double>& known) {
  const std::size_t left = agrees.size() - from;
  if (left == 0) {
    return 0.0;
  }
  if (known[from] > 0.0) {
    return known[from];
  }
  double least = 1e9;
  for (std::size_t burst = 1; burst <= left; ++burst) {
    least = std::min(
        least, 0.02 + 0.1 * static_cast<double>(burst) + least_time(agrees, from + burst, known));
  }
  for (std::size_t length = 0; length < left; ++length) {
    least = std::min(least, 0.12 + 0.01 * static_cast<double>(length) +
                                least_time(agrees, from + length + 1, known));
    if (agrees[from + length] == 0) {
      break;
    }
  }
  return known[from] = least;
}

// Hard and easy stretches: which places to draft at depends on where the rounds before end.
TEST(Oracle, IsTheLeastTimeOfATextAsFoundByTryingEverything) {
  std::vector<int> agrees;
  agrees.reserve(60);
  Rng rng(3, stream_id("text"), 0);
  for (int i = 0; i < 60; ++i) {
    agrees.push_back(rng.uniform() < (i / 6 % 2 == 0 ? 0.3 : 0.9) ? 1 : 0);
  }
  Setting setting = round_setting(scripted_trace(agrees, 32));
  setting.tokens = 1200;
  setting.rounds = 0;
  const auto run = run_oracle(setting, true, 0);
  ASSERT_TRUE(run) << run.error().message;
  std::vector<double> known(agrees.size(), 0.0);
  EXPECT_NEAR(summarise(*run).rate, 60.0 / least_time(agrees, 0, known), 0.01);
}

TEST(Oracle, DraftsNothingInVain) {
  const auto run = run_oracle(iid_setting(), true, 0);
  ASSERT_TRUE(run);
  EXPECT_EQ(run->total().drafted, run->total().accepted);
}

TEST(Oracle, KeepsAFeasibleBudgetAtTheLeastLossOfSpeed) {
  Setting setting = iid_setting();
  const auto free_run = run_oracle(setting, true, 0);
  ASSERT_TRUE(free_run);
  const RunSummary free_sum = summarise(*free_run);
  const double joules = joules_per_token(free_sum, Accounting::kFull);
  setting.budget.per_token = Joules(0.9 * joules);
  const auto kept = run_oracle(setting, true, 0);
  ASSERT_TRUE(kept);
  const RunSummary kept_sum = summarise(*kept);
  EXPECT_LE(joules_per_token(kept_sum, Accounting::kFull), 0.9 * joules * 1.0001);
  EXPECT_LT(kept_sum.rate, free_sum.rate);
}

TEST(Oracle, ComesNearAnInfeasibleBudgetAsFarAsItCan) {
  Setting setting = iid_setting();
  setting.budget.per_token = Joules(1e-6);
  const auto run = run_oracle(setting, true, 0);
  ASSERT_TRUE(run);
  // The target alone: 0.1 W x 100 ms a token, and a share of 20 ms of round trip.
  EXPECT_NEAR(joules_per_token(summarise(*run), Accounting::kFull), 0.1 * (0.1 + 0.02 / 64), 1e-3);
}

TEST(Oracle, PipeliningBoundIsNotBelowTheOneInFlight) {
  Setting setting = iid_setting();
  setting.max_in_flight = 8;
  setting.edge.pass = {milliseconds(10)};
  setting.link = link::parse_link_spec("rate=100kbit,delay=40ms").value();
  setting.wire.up_bytes = 60;
  const auto one = run_oracle(setting, true, 0);
  const auto many = run_oracle(setting, false, 0);
  ASSERT_TRUE(one && many);
  EXPECT_GE(summarise(*many).rate, 0.999 * summarise(*one).rate);
}

}  // namespace
}  // namespace gelato::sim
