#include "gelato/control/gelato_paper.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

#include "gelato/control/round_estimate.h"
#include "gelato/control/virtual_queue.h"
#include "tests/control/script.h"

namespace gelato::control {
namespace {

using testing::make;

TEST(GelatoPaper, EntropyEquationsInvertEachOther) {
  const double threshold = paper::entropy_threshold(0.9, 0.35);  // (11)
  EXPECT_NEAR(threshold, 0.3010301, 1e-7);
  EXPECT_NEAR(paper::acceptance_from_entropy(threshold, 0.35), 0.9, 1e-12);  // (10)
  EXPECT_EQ(paper::fill_bucket(0.5, 0.25, 0.5), 0.25);                       // (12)
  EXPECT_EQ(paper::fill_bucket(0.1, 0.1, 0.5), 0.0);
}

// What equation 8 chooses in the published setting, enumerated here on its own.
std::uint32_t choice_by_hand(double v, double queue, double uplink_seconds_per_token) {
  std::uint32_t best = 0;
  double best_utility = -1e300;
  for (std::uint32_t gamma = 1; gamma <= 15; ++gamma) {
    const double t_draft =
        24.0 * gamma * (8.0 * 896 * 896 + 4 * (300 + gamma / 2.0) * 896 + 4.0 * 896 * 4864) / 40e9;
    const double t_up = gamma * uplink_seconds_per_token;
    const double tokens = (1 - std::pow(0.9, gamma + 1)) / 0.1;
    const double energy = 12 * t_draft + 0.2 * t_up;
    const double utility = v * tokens / (t_draft + t_up + 0.1) - queue * energy;
    if (utility > best_utility) {
      best = gamma;
      best_utility = utility;
    }
  }
  return best;
}

// The published setting as a simulation gives it: no measured device, a link, T^LLM = 100 ms.
CostEstimate paper_cost(double uplink_seconds_per_token) {
  CostEstimate cost;
  cost.uplink = BitsPerSecond(1e6);
  cost.uplink_bits_per_token = Bits(1e6 * uplink_seconds_per_token);
  cost.verify_base = milliseconds(100);
  cost.tx_power = Watts(0.2);
  return cost;
}

TEST(GelatoPaper, ChoosesByEquationEightAsTheQueueGrows) {
  for (const double uplink : {0.0, 0.005, 0.05}) {
    const auto policy = make("gelato-paper:v=10");
    VirtualQueue queue;
    for (int round = 0; round < 100; ++round) {
      const RoundPlan plan = policy->begin_round(testing::context(paper_cost(uplink)));
      ASSERT_EQ(plan.max_draft, choice_by_hand(10, queue.level().value(), uplink)) << round;
      const Joules spent(2.0);  // above the budget, so the queue grows by 0.8 J a round
      policy->end_round({.drafted = plan.max_draft, .energy = spent});
      queue.step(spent, Joules(1.2));
    }
  }
}

TEST(GelatoPaper, MeetsItsBudgetInTheLongRun) {
  const auto policy = make("gelato-paper:v=10");
  double joules = 0.0;
  constexpr int kRounds = 4000;
  for (int round = 0; round < kRounds; ++round) {
    const std::uint32_t gamma = policy->begin_round(testing::context(paper_cost(0.001))).max_draft;
    const Joules spent = paper::drafting_energy(paper::kDraftModel, paper::kDevice, gamma, 300) +
                         Watts(0.2) * Seconds(0.001 * gamma);
    policy->end_round({.drafted = gamma, .energy = spent});
    joules += spent.value();
  }
  EXPECT_NEAR(joules / kRounds, 1.2, 0.02) << "the unconstrained optimum spends more";
}

TEST(GelatoPaper, LargerVSpendsMoreBeforeItSaves) {
  const auto longest_after = [](const char* text) {
    const auto policy = make(text);
    std::uint32_t gamma = 0;
    for (int round = 0; round < 100; ++round) {
      gamma = policy->begin_round(testing::context(paper_cost(0.001))).max_draft;
      policy->end_round({.drafted = gamma, .energy = Joules(2.0)});
    }
    return gamma;
  };
  EXPECT_LT(longest_after("gelato-paper:v=10"), longest_after("gelato-paper:v=1000"));
}

// H_th = 0.30103, Theta_th = 0.36124: theta after each token is
//   0.1 -> 0; 0.5 -> 0.199; 0.4 -> 0.298; 0.3 -> 0.297; 0.4 -> 0.396 > Theta_th: stop at 5.
TEST(GelatoPaper, EndsTheDraftWhenTheBucketOverflows) {
  const auto policy = make("gelato-paper:v=1000");
  const std::vector<float> entropies{0.1F, 0.5F, 0.4F, 0.3F, 0.4F, 0.0F, 0.0F};
  EXPECT_EQ(testing::draft_entropies(*policy, entropies, paper_cost(0)), 5U);
  EXPECT_EQ(testing::draft_entropies(*policy, entropies, paper_cost(0)), 5U)
      << "the bucket is empty at the start of every round";
  const std::vector<float> certain(7, 0.0F);
  EXPECT_EQ(testing::draft_entropies(*policy, certain, paper_cost(0)), 7U);
  const std::vector<float> wild{5.0F, 0.0F};
  EXPECT_EQ(testing::draft_entropies(*policy, wild, paper_cost(0)), 1U);
}

TEST(GelatoPaper, UsesMeasuredCostsOnceThereAreAny) {
  CostEstimate slow = paper_cost(0);
  slow.draft_token = Seconds(1.0);  // drafting is ten times the target's pass: keep drafts short
  CostEstimate fast = paper_cost(0);
  fast.draft_token = milliseconds(0.1);
  const auto policy = make("gelato-paper");
  EXPECT_EQ(policy->begin_round(testing::context(slow)).max_draft, 1U);
  EXPECT_EQ(policy->begin_round(testing::context(fast)).max_draft, 15U);
  EXPECT_EQ(policy->begin_round(testing::context(fast, 0)).max_draft, 0U);
  EXPECT_EQ(policy->begin_round(testing::context(fast, 3)).max_draft, 3U);
}

}  // namespace
}  // namespace gelato::control
