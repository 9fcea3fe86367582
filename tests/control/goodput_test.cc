#include "gelato/control/goodput.h"

#include <gtest/gtest.h>

#include "tests/control/script.h"

namespace gelato::control {
namespace {

using testing::make;
using testing::play_geometric_round;

// A draft ten times faster than the target, in one process; each verified token costs `load` of a
// pass, which grows with what else the server is doing.
CostEstimate server(double load) {
  CostEstimate cost;
  cost.draft_token = milliseconds(1);
  cost.verify_base = milliseconds(10);
  cost.verify_token = milliseconds(10 * load);
  return cost;
}

std::uint32_t length_at(double rho, double load) {
  const auto policy = make("goodput");
  Rng rng(21, "verdicts");
  std::uint32_t length = 0;
  for (int round = 0; round < 400; ++round) {
    length = play_geometric_round(*policy, rho, rng, server(load));
  }
  return length;
}

// The paper's central observation: the best length grows with acceptance and shrinks with load, and
// under high load or low acceptance it is 0.
TEST(Goodput, SpeculatesLessUnderLoadAndMoreWhenAccepted) {
  EXPECT_GE(length_at(0.9, 0.0), length_at(0.9, 0.1));
  EXPECT_GT(length_at(0.9, 0.1), length_at(0.9, 0.5));
  EXPECT_EQ(length_at(0.9, 1.0), 0U);
  EXPECT_GT(length_at(0.9, 0.1), length_at(0.5, 0.1));
  EXPECT_EQ(length_at(0.05, 0.1), 0U);
}

// Within 10 % of the best goodput of any length, at the true acceptance rate.
TEST(Goodput, ComesNearTheBestStaticLength) {
  for (const double rho : {0.5, 0.7, 0.9}) {
    const CostEstimate cost = server(0.05);
    const auto goodput = [&](std::uint32_t k) {
      return tokens_per_second(expected_tokens(rho, k), round_time(cost, k));
    };
    const std::uint32_t best = best_length(0, 16, goodput);
    EXPECT_GT(goodput(length_at(rho, 0.05)), 0.9 * goodput(best)) << rho;
  }
}

// Two of eight accepted is one rejection in three tested tokens, like two of three.
TEST(Goodput, JudgesByTheTokensThatWereTested) {
  const auto length_after = [](std::uint32_t drafted) {
    const auto policy = make("goodput");
    for (int round = 0; round < 50; ++round) {
      policy->begin_round(testing::context(server(0.05)));
      testing::end_round(*policy, drafted, 2, server(0.05));
    }
    return policy->begin_round(testing::context(server(0.05))).max_draft;
  };
  EXPECT_EQ(length_after(8), length_after(3));
  EXPECT_GT(length_after(2), length_after(3)) << "two of two is no rejection at all";
}

TEST(Goodput, GivesUpWhenNothingIsAcceptedAndTriesAgainNowAndThen) {
  const auto policy = make("goodput");
  Rng rng(22, "verdicts");
  const auto drafts_in = [&](int rounds, double rho) {
    int drafts = 0;
    for (int round = 0; round < rounds; ++round) {
      drafts += play_geometric_round(*policy, rho, rng, server(0.1)) > 0 ? 1 : 0;
    }
    return drafts;
  };
  drafts_in(100, 0.0);
  const int tries = drafts_in(1000, 0.0);
  EXPECT_GT(tries, 0);
  EXPECT_LT(tries, 100);
  drafts_in(300, 0.9);
  EXPECT_EQ(drafts_in(100, 0.9), 100) << "what pays again is found again";
}

}  // namespace
}  // namespace gelato::control
