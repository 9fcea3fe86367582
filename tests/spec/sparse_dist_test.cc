#include "gelato/spec/sparse_dist.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "gelato/spec/draft.h"
#include "tests/spec/rows.h"

namespace gelato::spec {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(SparseDist, SortsDropsZerosAndNormalises) {
  const SparseDist row = SparseDist::from_entries({{7, 0.5}, {2, 0.0}, {1, 0.49}}, 8, 0.02).value();
  EXPECT_EQ(row.size(), 2U);
  EXPECT_THAT(row.entries(), ElementsAre(TokenProb{1, 0.49 / 0.99}, TokenProb{7, 0.5 / 0.99}));
}

TEST(SparseDist, RefusesWhatIsNoDistribution) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double inf = std::numeric_limits<double>::infinity();
  struct Bad {
    std::vector<TokenProb> entries;
    const char* says;
  };
  const std::vector<Bad> table = {
      {{{-1, 0.5}, {1, 0.5}}, "token -1"},
      {{{1, 0.5}, {8, 0.5}}, "token 8"},
      {{{1, 0.5}, {2, nan}}, "token 2"},
      {{{1, 0.5}, {2, inf}}, "token 2"},
      {{{1, 1.5}, {3, -0.5}}, "token 3"},
      {{{4, 0.5}, {1, 0.5}, {4, 0.0}}, "token 4 twice"},
      {{{1, 0.5}, {2, 0.4999}}, "sums to 0.9999"},
      {{}, "sums to 0"},
  };
  for (const Bad& bad : table) {
    const auto row = SparseDist::from_entries(bad.entries, 8);
    ASSERT_FALSE(row) << bad.says;
    EXPECT_EQ(row.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(row.error().message, HasSubstr(bad.says));
  }
}

TEST(SparseDist, LooksUpAndFindsTheLowestArgmax) {
  const SparseDist row = row_of({{1, 0.2}, {3, 0.4}, {9, 0.4}});
  EXPECT_EQ(row.prob(3), 0.4);
  EXPECT_EQ(row.prob(0), 0.0);
  EXPECT_EQ(row.prob(2), 0.0);
  EXPECT_EQ(row.prob(10), 0.0);
  EXPECT_EQ(row.argmax(), 3);
  EXPECT_EQ(SparseDist::one_hot(5).argmax(), 5);
}

TEST(SparseDist, SamplesByInverseCdfInTokenOrder) {
  const SparseDist row = row_of({{1, 0.25}, {3, 0.5}, {9, 0.25}});
  EXPECT_EQ(row.sample(0.0), 1);
  EXPECT_EQ(row.sample(0.2499), 1);
  EXPECT_EQ(row.sample(0.25), 3);
  EXPECT_EQ(row.sample(0.7499), 3);
  EXPECT_EQ(row.sample(0.75), 9);
  EXPECT_EQ(row.sample(1.0 - 0x1.0p-53), 9);
}

// Ten times 0.1 is 0.9999999999999999: the largest u must still find a token.
TEST(SparseDist, SamplesTheLastTokenWhenTheSumIsRoundedDown) {
  std::vector<TokenProb> entries(10);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    entries[i] = {static_cast<Token>(i), 0.1};
  }
  EXPECT_EQ(row_of(entries).sample(1.0 - 0x1.0p-53), 9);
}

TEST(Draft, TruncatesAndReusesItsRows) {
  Draft draft;
  draft.push(4).assign_one_hot(4);
  draft.push(5) = row_of({{5, 0.5}, {6, 0.5}});
  draft.truncate(5);
  EXPECT_THAT(draft.tokens(), ElementsAre(4, 5));
  draft.truncate(1);
  EXPECT_THAT(draft.tokens(), ElementsAre(4));
  EXPECT_THAT(draft.rows(), ElementsAre(SparseDist::one_hot(4)));
  EXPECT_EQ(draft.push(7).size(), 2U);  // as the header says: contents of an earlier use
  EXPECT_THAT(draft.tokens(), ElementsAre(4, 7));
  draft.clear();
  EXPECT_TRUE(draft.empty());
  EXPECT_TRUE(draft.rows().empty());
}

}  // namespace
}  // namespace gelato::spec
