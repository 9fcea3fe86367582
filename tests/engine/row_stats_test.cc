#include "gelato/engine/row_stats.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "gelato/base/rng.h"

namespace gelato::engine {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

// The definition, in double precision and two passes.
spec::RowStats reference(const std::vector<float>& x) {
  spec::RowStats out;
  double max1 = -std::numeric_limits<double>::infinity();
  double max2 = max1;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (x[i] > max1) {
      max2 = max1;
      max1 = x[i];
      out.top1 = static_cast<spec::Token>(i);
    } else if (x[i] > max2) {
      max2 = x[i];
    }
  }
  double z = 0.0;
  for (const float v : x) {
    z += std::exp(v - max1);
  }
  double h = 0.0;
  for (const float v : x) {
    const double p = std::exp(v - max1) / z;
    h -= p > 0.0 ? p * std::log(p) : 0.0;
  }
  out.top1_logit = static_cast<float>(max1);
  out.top1_prob = static_cast<float>(1.0 / z);
  out.margin = static_cast<float>((1.0 - std::exp(max2 - max1)) / z);
  out.logit_gap = static_cast<float>(max1 - max2);
  out.entropy = static_cast<float>(h);
  return out;
}

std::vector<float> random_row(std::size_t n, float scale, std::uint64_t seed) {
  Rng rng(seed, "row");
  std::vector<float> x(n);
  for (float& v : x) {
    v = scale * static_cast<float>(rng.uniform() - 0.5);
  }
  return x;
}

void expect_matches(const std::vector<float>& x) {
  const auto got = row_stats(x);
  ASSERT_TRUE(got.has_value()) << got.error().message;
  const auto want = reference(x);
  EXPECT_EQ(got->top1, want.top1);
  EXPECT_EQ(got->top1_logit, want.top1_logit);
  EXPECT_FLOAT_EQ(got->logit_gap, want.logit_gap);
  EXPECT_NEAR(got->top1_prob, want.top1_prob, 1e-5 * want.top1_prob + 1e-12);
  EXPECT_NEAR(got->margin, want.margin, 1e-5 * want.top1_prob + 1e-12);
  EXPECT_NEAR(got->entropy, want.entropy, 1e-4 * (1.0 + want.entropy));
  EXPECT_EQ(row_argmax(x).value(), want.top1);
}

TEST(RowStats, MatchesTheDefinitionAtEverySizeAroundVectorsAndBlocks) {
  for (const std::size_t n :
       {1U, 2U, 3U, 7U, 8U, 15U, 16U, 17U, 31U, 33U, 2047U, 2048U, 2049U, 4096U, 5000U}) {
    for (const float scale : {0.0F, 1.0F, 30.0F, 400.0F}) {
      SCOPED_TRACE(testing::Message() << "n " << n << " scale " << scale);
      expect_matches(random_row(n, scale, n));
    }
  }
  expect_matches(random_row(128256, 20.0F, 5));
}

TEST(RowStats, FindsTheMaximumWhereverItIs) {
  for (const std::size_t at : {0U, 1U, 2047U, 2048U, 4095U, 4999U}) {
    auto x = random_row(5000, 2.0F, at);
    x[at] = 9.0F;
    SCOPED_TRACE(at);
    expect_matches(x);
  }
}

TEST(RowStats, RisingRowMovesItsSumsAtEveryBlock) {
  std::vector<float> x(10000);
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = static_cast<float>(i) * 0.01F;
  }
  expect_matches(x);
}

TEST(RowStats, TiesGoToTheLowestIdWithGapZero) {
  std::vector<float> x(3000, -1.0F);
  x[2900] = 2.0F;
  x[70] = 2.0F;
  const auto s = row_stats(x).value();
  EXPECT_EQ(s.top1, 70);
  EXPECT_EQ(s.logit_gap, 0.0F);
  EXPECT_EQ(s.margin, 0.0F);
}

TEST(RowStats, UniformRowHasEntropyLogN) {
  const std::vector<float> x(4096, 3.0F);
  EXPECT_NEAR(row_stats(x).value().entropy, std::log(4096.0), 1e-3);
}

TEST(RowStats, MinusInfinityIsAnImpossibleToken) {
  std::vector<float> x(4096, -kInf);
  x[3000] = 1.0F;
  x[4095] = 0.0F;
  const auto s = row_stats(x).value();
  EXPECT_EQ(s.top1, 3000);
  EXPECT_NEAR(s.top1_prob, 1.0 / (1.0 + std::exp(-1.0)), 1e-6);
}

TEST(RowStats, NotANumberAnywhereIsAnError) {
  for (const std::size_t at : {0U, 5U, 2050U, 4999U}) {
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), kInf}) {
      auto x = random_row(5000, 2.0F, at);
      x[at] = bad;
      EXPECT_FALSE(row_stats(x).has_value()) << at;
      EXPECT_FALSE(row_argmax(x).has_value()) << at;
    }
  }
  EXPECT_FALSE(row_stats(std::vector<float>(64, -kInf)).has_value());
}

}  // namespace
}  // namespace gelato::engine
