#include "gelato/control/acceptance_predictor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "gelato/base/rng.h"

namespace gelato::control {
namespace {

spec::RowStats row(double entropy, double top1 = 0.5, double margin = 0.2) {
  spec::RowStats r;
  r.entropy = static_cast<float>(entropy);
  r.top1_prob = static_cast<float>(top1);
  r.margin = static_cast<float>(margin);
  return r;
}

double sigmoid(double z) { return 1.0 / (1.0 + std::exp(-z)); }

// A pair of models whose acceptance is logistic in the entropy, with rows of entropy ~ Exp(1).
class Pair {
 public:
  Pair(double constant, double slope) : constant_(constant), slope_(slope) {}
  [[nodiscard]] double truth(double entropy) const { return sigmoid(constant_ + slope_ * entropy); }

  // Drafts and verifies `rounds` drafts of four tokens.
  void play(AcceptancePredictor& predictor, int rounds, Rng& rng) const {
    for (int i = 0; i < rounds; ++i) {
      predictor.begin_round();
      std::uint32_t accepted = 0;
      for (std::uint32_t depth = 0; depth < 4; ++depth) {
        const double entropy = -std::log(1.0 - rng.uniform());
        predictor.predict(row(entropy), depth);
        accepted += accepted == depth && rng.uniform() < truth(entropy) ? 1 : 0;
      }
      predictor.learn(4, accepted);
    }
  }

 private:
  double constant_;
  double slope_;
};

double worst_error(AcceptancePredictor predictor, const Pair& pair) {
  double worst = 0.0;
  for (double entropy = 0.0; entropy <= 3.0; entropy += 0.25) {
    const double predicted = predictor.predict(row(entropy), 1);
    worst = std::max(worst, std::abs(predicted - pair.truth(entropy)));
  }
  return worst;
}

// The seeds are fixed, so the next three cannot fail by chance. Ten other seeds gave at most 0.074,
// 0.012 and 0.093 where 0.12, 0.03 and 0.15 are allowed.
TEST(AcceptancePredictor, LearnsThePairAtHand) {
  const Pair pair(3.0, -2.5);
  AcceptancePredictor predictor;
  EXPECT_GT(worst_error(predictor, pair), 0.2) << "the warm start is another pair's";
  Rng rng(1, "pair");
  pair.play(predictor, 4000, rng);
  EXPECT_LT(worst_error(predictor, pair), 0.12);
}

TEST(AcceptancePredictor, IsCalibratedAndSaysSo) {
  const Pair pair(2.0, -1.0);
  AcceptancePredictor predictor;
  Rng rng(2, "pair");
  pair.play(predictor, 4000, rng);
  EXPECT_GT(predictor.reliability().tokens(), 4000U);
  EXPECT_LT(predictor.reliability().expected_calibration_error(), 0.03);
}

TEST(AcceptancePredictor, FollowsAChangeOfPair) {
  AcceptancePredictor predictor;
  Rng rng(3, "pair");
  Pair(3.0, -0.5).play(predictor, 2000, rng);
  const Pair later(-1.0, -0.5);
  EXPECT_GT(worst_error(predictor, later), 0.4);
  later.play(predictor, 1000, rng);
  EXPECT_LT(worst_error(predictor, later), 0.15);
}

TEST(AcceptancePredictor, StartsFromItsPrior) {
  AcceptancePredictor cold;
  EXPECT_NEAR(cold.predict(row(2.0), 0), std::exp(-0.35 * 2.0), 0.02);
  const Pair pair(3.0, -2.5);
  Rng rng(4, "pair");
  pair.play(cold, 2000, rng);
  const AcceptancePredictor warm({.weights = cold.weights()});
  EXPECT_EQ(warm.weights(), cold.weights());
}

TEST(AcceptancePredictor, LearnsOnlyFromTokensThatWereTested) {
  AcceptancePredictor predictor;
  for (std::uint32_t depth = 0; depth < 5; ++depth) {
    predictor.predict(row(1.0), depth);
  }
  predictor.learn(5, 1);  // token 0 stood, token 1 fell, 2 to 4 were never looked at
  EXPECT_EQ(predictor.reliability().tokens(), 2U);
  predictor.learn(5, 3);
  EXPECT_EQ(predictor.reliability().tokens(), 2U) << "a verdict without a draft";
}

// The target's text ended before the rest of the draft could be compared with it.
TEST(AcceptancePredictor, TakesNoEndOfTheTextForARejection) {
  AcceptancePredictor predictor;
  for (std::uint32_t depth = 0; depth < 5; ++depth) {
    predictor.predict(row(1.0), depth);
  }
  predictor.learn(2, 2);
  const auto& bins = predictor.reliability().bins;
  EXPECT_EQ(predictor.reliability().tokens(), 2U);
  EXPECT_EQ(std::accumulate(bins.begin(), bins.end(), std::uint64_t{0},
                            [](std::uint64_t sum, const auto& bin) { return sum + bin.accepted; }),
            2U);
}

TEST(AcceptancePredictor, StaysWithinZeroAndOneOnNonsense) {
  AcceptancePredictor predictor;
  const double nan = std::nan("");
  const double inf = std::numeric_limits<double>::infinity();
  for (int i = 0; i < 2000; ++i) {
    predictor.begin_round();
    for (const double x : {nan, inf, -inf, 1e30, -3.0, 0.0}) {
      const double p = predictor.predict(row(x, x, x), 1000000);
      ASSERT_GT(p, 0.0);
      ASSERT_LT(p, 1.0);
    }
    const auto any = i % 7 == 0 ? std::numeric_limits<std::uint32_t>::max() : 0;
    predictor.learn(i % 3 == 0 ? any : 6, any);
  }
}

TEST(ReliabilityTable, MeasuresHowFarPredictionsAreOff) {
  ReliabilityTable table;
  EXPECT_EQ(table.expected_calibration_error(), 0.0);
  for (int i = 0; i < 10; ++i) {
    table.add(0.95, i < 7);  // off by 0.25
    table.add(0.35, i < 3);  // off by 0.05
  }
  table.add(1.0, true);
  EXPECT_EQ(table.bins[9].tokens, 11U);
  EXPECT_EQ(table.bins[9].accepted, 8U);
  EXPECT_NEAR(table.expected_calibration_error(), (9.5 + 1 - 8 + 0.5) / 21, 1e-12);
}

}  // namespace
}  // namespace gelato::control
