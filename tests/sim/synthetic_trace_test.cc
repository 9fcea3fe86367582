#include "gelato/sim/synthetic_trace.h"

#include <gtest/gtest.h>

#include <cmath>

#include "gelato/sim/trace_file.h"

namespace gelato::sim {
namespace {

TEST(SyntheticTrace, IsOneThatAFileCouldHold) {
  for (const char* law : {"iid:0.8", "iid:0", "iid:1", "entropy:0.35,0.6"}) {
    const auto trace = make_synthetic_trace(law, 1, 500, 8);
    ASSERT_TRUE(trace) << law;
    EXPECT_TRUE(check_trace(*trace)) << law << ": " << check_trace(*trace).error().message;
  }
}

// Along the target's text a draft's rows are those that the next positions begin with.
TEST(SyntheticTrace, ContinuationsAgreeWithLaterPositions) {
  const auto trace = make_synthetic_trace("entropy:0.35,0.6", 1, 500, 8).value();
  for (std::size_t i = 0; i + 8 < trace.positions(); ++i) {
    for (std::size_t j = 1; j < 8 && trace.drafts(i)[j - 1].match == 1; ++j) {
      EXPECT_EQ(trace.drafts(i)[j], trace.drafts(i + j)[0]);
    }
  }
}

// Frequencies over 20 000 independent tokens stay within 4.5 standard errors of 0.5 / sqrt(n) at
// most but for one seed in 150 000.
TEST(SyntheticTrace, TokensMatchAsOftenAsTheLawSays) {
  constexpr std::uint32_t kTokens = 20'000;
  const double error = 4.5 * 0.5 / std::sqrt(kTokens);
  double matches = 0.0;
  const auto iid = make_synthetic_trace("iid:0.7", 5, kTokens, 1).value();
  for (const TraceToken& token : iid.tokens) {
    matches += token.match;
  }
  EXPECT_NEAR(matches / kTokens, 0.7, error);
  double expected = 0.0;
  matches = 0.0;
  const auto entropy = make_synthetic_trace("entropy:0.35,0.6", 5, kTokens, 1).value();
  for (const TraceToken& token : entropy.tokens) {
    matches += token.match;
    expected += std::exp(-0.35 * token.entropy);
  }
  EXPECT_NEAR(matches / kTokens, expected / kTokens, error);
}

// Zipf's law with exponent 2 over 151 936 tokens, summed up term by term: 1.6374 nats, top-1
// probability 0.60793, and 11 258 tokens above 0.99995 of the mass.
TEST(SyntheticTrace, RowsFollowZipfsLaw) {
  const auto trace = make_synthetic_trace("entropy:0.35,2", 5, 20'000, 1).value();
  int seen = 0;
  for (const TraceToken& token : trace.tokens) {
    if (std::abs(token.entropy - 1.6374F) < 0.001F) {
      ++seen;
      EXPECT_NEAR(token.top1, 0.60793F, 0.002F);
      EXPECT_NEAR(token.margin, 0.60793F * 0.75F, 0.002F);
      EXPECT_NEAR(token.top_p, 11'258, 300);
    }
  }
  EXPECT_GT(seen, 0);
}

TEST(SyntheticTrace, RefusesOtherLaws) {
  for (const char* law : {"iid:", "iid:2", "iid:-0.1", "iid:nan", "iid:0.5,1", "entropy:0.35",
                          "entropy:0,1", "entropy:1,99", "entropy:1,1,1"}) {
    EXPECT_TRUE(is_synthetic(law));
    EXPECT_EQ(make_synthetic_trace(law, 1).error().code, ErrorCode::kInvalidArgument) << law;
  }
  EXPECT_FALSE(is_synthetic("tale.trace"));
}

}  // namespace
}  // namespace gelato::sim
