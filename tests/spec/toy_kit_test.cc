// The test kit itself: what it claims to be exact is checked by hand or against published tables.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numeric>

#include "tests/support/chi_square.h"
#include "tests/support/toy_model.h"

namespace gelato::toy {
namespace {

SparseDist row_of(std::vector<spec::TokenProb> entries) {
  return SparseDist::from_entries(std::move(entries), 8).value();
}

ToyModel weather() {
  return ToyModel::from_rows(2, 1, {row_of({{0, 0.9}, {1, 0.1}}), row_of({{0, 0.5}, {1, 0.5}})});
}

// Abramowitz and Stegun, table 26.8: upper percentage points of chi-square.
TEST(ChiSquare, TailMatchesPublishedTable) {
  EXPECT_NEAR(chi_square_tail(3.84146, 1), 0.05, 1e-6);
  EXPECT_NEAR(chi_square_tail(18.3070, 10), 0.05, 1e-6);
  EXPECT_NEAR(chi_square_tail(29.5883, 10), 0.001, 1e-7);
  EXPECT_NEAR(chi_square_tail(124.342, 100), 0.05, 1e-6);
  EXPECT_NEAR(chi_square_tail(2.0 * std::log(1e9), 2), 1e-9, 1e-18);  // exp(-x/2) for two degrees
}

TEST(ChiSquare, FindsWrongCountsAndImpossibleOnes) {
  const std::array<double, 3> expected{0.5, 0.5, 0.0};
  const auto p_value = [&](std::array<std::uint64_t, 3> counts) {
    return chi_square_p_value(counts, expected);
  };
  EXPECT_GT(p_value({5040, 4960, 0}), 0.3);
  EXPECT_LT(p_value({5300, 4700, 0}), 1e-8);
  EXPECT_EQ(p_value({5000, 4999, 1}), 0.0);
}

// One count where 0.01 is expected happens once in a hundred samples: no reason to reject.
TEST(ChiSquare, RareCellsArePooled) {
  const std::array<double, 3> expected{0.5, 0.49999, 0.00001};
  EXPECT_GT(chi_square_p_value(std::array<std::uint64_t, 3>{500, 499, 1}, expected), 0.5);
}

TEST(ToyModel, EnumeratesTextsExactly) {
  const ToyModel model = weather();
  const std::array<Token, 1> sunny{0};
  const std::vector<double> probs = model.text_distribution(sunny, 2);
  ASSERT_EQ(probs.size(), 4U);
  EXPECT_DOUBLE_EQ(probs[0], 0.81);
  EXPECT_DOUBLE_EQ(probs[1], 0.09);
  EXPECT_DOUBLE_EQ(probs[2], 0.05);
  EXPECT_DOUBLE_EQ(probs[3], 0.05);
}

TEST(ToyModel, RandomModelsAreReproducibleAndNormalised) {
  const ToyShape shape{.n_vocab = 4, .order = 2, .sharpness = 3.0, .zero_share = 0.4};
  const ToyModel model = ToyModel::random(shape, 7);
  const std::vector<double> probs = model.text_distribution({}, 5);
  EXPECT_NEAR(std::accumulate(probs.begin(), probs.end(), 0.0), 1.0, 1e-12);
  EXPECT_EQ(probs, ToyModel::random(shape, 7).text_distribution({}, 5));
  EXPECT_NE(probs, ToyModel::random(shape, 8).text_distribution({}, 5));
}

TEST(ToyModel, MixMovesFromOneModelToTheOther) {
  const ToyModel a = ToyModel::random({.n_vocab = 3}, 1);
  const ToyModel b = ToyModel::random({.n_vocab = 3}, 2);
  const std::array<Token, 1> context{2};
  for (Token t = 0; t < 3; ++t) {
    EXPECT_NEAR(ToyModel::mix(a, b, 0.25).row(context).prob(t),
                0.75 * a.row(context).prob(t) + 0.25 * b.row(context).prob(t), 1e-15);
  }
}

TEST(ToyModel, RowStatsDescribeTheRow) {
  const spec::RowStats stats = row_stats(row_of({{1, 0.25}, {4, 0.5}, {5, 0.25}}));
  EXPECT_EQ(stats.top1, 4);
  EXPECT_FLOAT_EQ(stats.top1_prob, 0.5F);
  EXPECT_FLOAT_EQ(stats.margin, 0.25F);
  EXPECT_FLOAT_EQ(stats.logit_gap, std::log(2.0F));
  EXPECT_FLOAT_EQ(stats.entropy, 1.5F * std::log(2.0F));
}

TEST(ToyDrafter, ForgetsRejectedTokensAndStopsBelowTheThreshold) {
  const ToyModel model = weather();
  ToyDrafter drafter(model, spec::Mode::kGreedy, 1);
  const std::array<Token, 1> rainy{1};
  ASSERT_TRUE(drafter.start(rainy));
  spec::Draft draft;
  EXPECT_EQ(drafter.draft_one(draft, 0.6F).value(), std::nullopt);  // a 0.5 : 0.5 row
  EXPECT_TRUE(draft.empty());
  ASSERT_TRUE(drafter.draft_one(draft, 0.0F).value().has_value());
  ASSERT_TRUE(drafter.draft_one(draft, 0.0F).value().has_value());
  EXPECT_EQ(std::vector<Token>(draft.tokens().begin(), draft.tokens().end()),
            (std::vector<Token>{0, 0}));
  ASSERT_TRUE(drafter.commit(0, 1));  // rejected: it rains again
  draft.clear();
  EXPECT_EQ(drafter.draft_one(draft, 0.0F).value()->top1_prob, 0.5F);
  EXPECT_EQ(drafter.commit(2, 1).error().code, ErrorCode::kInvalidArgument);
}

TEST(ToyVerifier, CommitsItsVerdictsAndRefusesForeignTokens) {
  const ToyModel model = weather();
  ToyVerifier verifier(model, spec::Mode::kGreedy, 1);
  const std::array<Token, 1> rainy{1};
  ASSERT_TRUE(verifier.start(rainy));
  spec::Draft draft;
  draft.push(0);
  draft.push(1);
  EXPECT_EQ(verifier.verify(draft).value(), (spec::Verdict{.accepted = 1, .next = 0}));
  EXPECT_EQ(std::vector<Token>(verifier.text().begin(), verifier.text().end()),
            (std::vector<Token>{1, 0, 0}));
  draft.push(2);
  EXPECT_EQ(verifier.verify(draft).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace gelato::toy
