#include "gelato/engine/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "gelato/base/rng.h"

namespace gelato::engine {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

std::vector<float> random_row(std::size_t n, double scale, std::uint64_t seed) {
  Rng rng(seed, "row");
  std::vector<float> x(n);
  for (float& v : x) {
    v = static_cast<float>(scale * rng.uniform());
  }
  return x;
}

// The definition, written the slow and obvious way: sort everything, then cut.
spec::SparseDist reference(const std::vector<float>& logits, const SamplerParams& p) {
  struct Item {
    double logit;
    spec::Token token;
  };
  std::vector<Item> items;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (std::isfinite(logits[i])) {
      items.push_back({static_cast<double>(logits[i]), static_cast<spec::Token>(i)});
    }
  }
  std::stable_sort(items.begin(), items.end(),
                   [](const Item& a, const Item& b) { return a.logit > b.logit; });
  if (p.top_k > 0 && p.top_k < items.size()) {
    items.resize(p.top_k);
  }
  const double max = items.front().logit;
  double total = 0.0;
  for (const Item& item : items) {
    total += std::exp(item.logit - max);
  }
  double mass = 0.0;
  std::size_t kept = 0;
  while (kept < items.size() && mass < p.top_p * total) {
    mass += std::exp(items[kept++].logit - max);
  }
  if (p.top_p < 1.0) {
    items.resize(kept);
  }
  std::vector<spec::TokenProb> entries;
  for (const Item& item : items) {
    if (std::exp(item.logit - max) >= p.min_p) {
      entries.push_back({item.token, std::exp((item.logit - max) / p.temperature)});
    }
  }
  double sum = 0.0;
  for (const auto& e : entries) {
    sum += e.prob;
  }
  for (auto& e : entries) {
    e.prob /= sum;
  }
  const auto n = static_cast<spec::Token>(logits.size());
  return spec::SparseDist::from_entries(entries, n, 1e-6).value();
}

TEST(Sampler, MatchesTheDefinition) {
  const std::vector<SamplerParams> all = {
      {.temperature = 1.0},
      {.temperature = 0.7},
      {.temperature = 1.5, .top_k = 1},
      {.temperature = 1.0, .top_k = 40},
      {.temperature = 0.8, .top_k = 5000},
      {.temperature = 1.0, .top_p = 0.9},
      {.temperature = 1.0, .top_p = 1e-9},
      {.temperature = 1.0, .top_p = 0.9999},
      {.temperature = 1.0, .min_p = 0.05},
      {.temperature = 1.0, .min_p = 1.0},
      {.temperature = 0.6, .top_k = 100, .top_p = 0.95, .min_p = 0.02},
  };
  for (const SamplerParams& params : all) {
    Sampler sampler(params);
    for (const double scale : {0.5, 8.0, 40.0}) {
      for (const std::size_t n : {1U, 7U, 300U, 4096U}) {
        const auto logits = random_row(n, scale, n);
        spec::SparseDist got;
        ASSERT_TRUE(sampler.distribution(logits, got).has_value());
        const auto want = reference(logits, params);
        SCOPED_TRACE(testing::Message()
                     << "T " << params.temperature << " k " << params.top_k << " p " << params.top_p
                     << " min " << params.min_p << " scale " << scale << " n " << n);
        ASSERT_EQ(got.size(), want.size());
        for (std::size_t i = 0; i < got.size(); ++i) {
          ASSERT_EQ(got.entries()[i].token, want.entries()[i].token);
          ASSERT_NEAR(got.entries()[i].prob, want.entries()[i].prob, 1e-12);
        }
      }
    }
  }
}

TEST(Sampler, GreedyIsOneHotAtTheLowestOfEqualLogits) {
  Sampler sampler({});
  std::vector<float> logits(50, 1.0F);
  logits[20] = logits[30] = 2.0F;
  spec::SparseDist out;
  ASSERT_TRUE(sampler.distribution(logits, out).has_value());
  EXPECT_EQ(out, spec::SparseDist::one_hot(20));
}

TEST(Sampler, TiesAtTheBoundaryKeepTheLowerId) {
  Sampler sampler({.temperature = 1.0, .top_k = 2});
  spec::SparseDist out;
  ASSERT_TRUE(sampler.distribution(std::vector<float>{0.0F, 1.0F, 1.0F, 1.0F}, out).has_value());
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(out.entries()[0].token, 1);
  EXPECT_EQ(out.entries()[1].token, 2);
}

TEST(Sampler, ImpossibleTokensStayImpossible) {
  Sampler sampler({.temperature = 100.0});
  spec::SparseDist out;
  ASSERT_TRUE(sampler.distribution(std::vector<float>{-kInf, 1.0F, -kInf, 0.0F}, out).has_value());
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(out.prob(0), 0.0);
}

TEST(Sampler, ATinyTemperatureIsTheArgmaxWithoutOverflow) {
  Sampler sampler({.temperature = 1e-6});
  spec::SparseDist out;
  ASSERT_TRUE(sampler.distribution(random_row(1000, 30.0, 4), out).has_value());
  EXPECT_EQ(out.size(), 1U);
}

TEST(Sampler, RefusesRowsThatAreNoRows) {
  Sampler sampler({.temperature = 1.0});
  spec::SparseDist out;
  EXPECT_FALSE(sampler.distribution(std::vector<float>{1.0F, std::nanf("")}, out).has_value());
  EXPECT_FALSE(sampler.distribution(std::vector<float>{-kInf, -kInf}, out).has_value());
}

TEST(SamplerParams, OutOfRangeIsNamed) {
  EXPECT_TRUE(check({}).has_value());
  for (const SamplerParams& bad :
       {SamplerParams{.temperature = -0.1}, SamplerParams{.temperature = 101},
        SamplerParams{.temperature = std::nan("")}, SamplerParams{.top_p = 0.0},
        SamplerParams{.top_p = 1.1}, SamplerParams{.top_p = std::nan("")},
        SamplerParams{.min_p = -0.1}, SamplerParams{.min_p = 2.0}}) {
    EXPECT_EQ(check(bad).error().code, ErrorCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace gelato::engine
