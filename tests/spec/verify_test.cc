#include "gelato/spec/verify.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/spec/rows.h"

namespace gelato::spec {
namespace {

TEST(VerifyGreedy, AcceptsTheCommonPrefix) {
  const std::vector<Token> target{5, 6, 7, 8};
  const auto verify = [&](std::vector<Token> draft) {
    return verify_greedy(draft, std::span(target).first(draft.size() + 1));
  };
  EXPECT_EQ(verify({}), (Verdict{0, 5}));
  EXPECT_EQ(verify({5, 6, 7}), (Verdict{3, 8}));
  EXPECT_EQ(verify({4, 6, 7}), (Verdict{0, 5}));
  EXPECT_EQ(verify({5, 4, 7}), (Verdict{1, 6}));  // the 7 stands where it should, but too late
  EXPECT_EQ(verify({5, 6, 4}), (Verdict{2, 7}));
}

TEST(VerifySampling, AcceptsEverythingWhenDraftIsTarget) {
  Rng rng(1, "verify");
  const std::vector<SparseDist> rows(5, row_of({{0, 0.1}, {1, 0.2}, {2, 0.7}}));
  for (int i = 0; i < 1000; ++i) {
    const std::vector<Token> draft{0, 1, 2, 0};
    EXPECT_EQ(verify_sampling(draft, std::span(rows).first(4), rows, rng).accepted, 4U);
  }
}

TEST(VerifySampling, NeverAcceptsOrCorrectsToATokenWithoutProbability) {
  Rng rng(2, "verify");
  const std::vector<SparseDist> q{row_of({{0, 0.5}, {1, 0.5}})};
  const std::vector<SparseDist> p{row_of({{1, 0.5}, {2, 0.5}}), SparseDist::one_hot(3)};
  for (int i = 0; i < 1000; ++i) {
    // Token 1 has as much probability in p as in q, so all that is missing is token 2.
    EXPECT_EQ(verify_sampling(std::vector<Token>{0}, q, p, rng), (Verdict{0, 2}));
    EXPECT_EQ(verify_sampling(std::vector<Token>{1}, q, p, rng), (Verdict{1, 3}));
  }
}

// The stream's position after a round must be the same on every machine that follows it.
TEST(VerifySampling, DrawsOneUniformPerTestedTokenAndOneForTheNext) {
  const SparseDist a = SparseDist::one_hot(0);
  const SparseDist b = SparseDist::one_hot(1);
  const std::vector<Token> draft{0, 0, 0};
  const std::vector<SparseDist> q{a, a, a};
  const auto drawn = [&](const std::vector<SparseDist>& p) {
    Rng rng(3, "verify");
    verify_sampling(draft, q, p, rng);
    return rng.position();
  };
  EXPECT_EQ(drawn({b, a, a, a}), 2U);
  EXPECT_EQ(drawn({a, a, b, a}), 4U);
  EXPECT_EQ(drawn({a, a, a, b}), 4U);
}

// A wire mode may run the acceptance test and the residual draw on different machines.
TEST(VerifySampling, IsComposedOfItsTwoHalves) {
  Rng rng(4, "rows");
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    const std::vector<SparseDist> q{random_row(6, 2.0, 0.3, rng)};
    const std::vector<SparseDist> p{random_row(6, 2.0, 0.3, rng), random_row(6, 2.0, 0.3, rng)};
    const std::vector<Token> draft{q[0].sample(rng.uniform())};
    Rng whole(seed, "verify");
    Rng halves(seed, "verify");
    const bool stands = accept_token(p[0].prob(draft[0]), q[0].prob(draft[0]), halves.uniform());
    const double u = halves.uniform();
    const Verdict expected{stands ? 1U : 0U,
                           stands ? p[1].sample(u) : sample_residual(p[0], q[0], u)};
    EXPECT_EQ(verify_sampling(draft, q, p, whole), expected);
  }
}

TEST(SampleResidual, MatchesADenseComputation) {
  constexpr Token kVocab = 12;
  Rng rng(5, "rows");
  for (int i = 0; i < 500; ++i) {
    const SparseDist p = random_row(kVocab, 3.0, 0.4, rng);
    const SparseDist q = random_row(kVocab, 3.0, 0.4, rng);
    SparseDist residual;
    for (Token t = 0; t < kVocab; ++t) {
      if (p.prob(t) > q.prob(t)) {
        residual.storage().push_back({t, p.prob(t) - q.prob(t)});
      }
    }
    residual.normalise();
    for (const double u : {0.0, 0.1, 0.25, 0.5, 0.77, 0.999, 1.0 - 0x1.0p-53}) {
      EXPECT_EQ(sample_residual(p, q, u), residual.sample(u));
    }
  }
}

TEST(SampleResidual, DrawsFromTheTargetWhenNothingIsLeft) {
  const SparseDist p = row_of({{2, 0.5}, {4, 0.5}});
  EXPECT_EQ(sample_residual(p, p, 0.25), 2);
  EXPECT_EQ(sample_residual(p, p, 0.75), 4);
}

}  // namespace
}  // namespace gelato::spec
