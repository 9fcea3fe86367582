#include "gelato/proto/row_code.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "gelato/base/rng.h"
#include "gelato/proto/limits.h"

namespace gelato::proto {
namespace {

spec::SparseDist random_row(spec::Token n_vocab, std::size_t entries, double sharpness, Rng& rng) {
  spec::SparseDist row;
  std::size_t left = entries;
  for (spec::Token t = 0; t < n_vocab && left > 0; ++t) {
    const auto rest = static_cast<std::uint64_t>(n_vocab - t);
    if (rng.below(rest) < left) {
      row.storage().push_back({t, std::exp(sharpness * (rng.uniform() - 1.0))});
      --left;
    }
  }
  row.normalise();
  return row;
}

std::vector<std::uint8_t> encode(const spec::SparseDist& row, spec::Token n_vocab) {
  std::vector<std::uint8_t> code;
  encode_row(row, n_vocab, code);
  return code;
}

TEST(RowCode, BothSidesHoldTheSameDoubles) {
  Rng rng(3, "row code");
  for (const spec::Token n_vocab : {2, 300, 4096, 151'936}) {
    for (const std::size_t entries : {1U, 2U, 40U, 4096U}) {
      for (const double sharpness : {0.0, 5.0, 60.0}) {
        const auto row =
            random_row(n_vocab, std::min<std::size_t>(entries, static_cast<std::size_t>(n_vocab)),
                       sharpness, rng);
        const auto back = decode_row(encode(row, n_vocab), n_vocab);
        ASSERT_TRUE(back.has_value()) << back.error().message;
        for (const spec::TokenProb& entry : row.entries()) {
          ASSERT_EQ(back->prob(entry.token), rounded_prob(row, entry.token));  // bit for bit
          ASSERT_NEAR(back->prob(entry.token), entry.prob, entry.prob * 0x1p-22 + 1e-44);
        }
      }
    }
  }
}

TEST(RowCode, DropsWhatAFloatCannotHold) {
  spec::SparseDist row;
  row.storage() = {{1, 1.0}, {2, 1e-60}, {5, 1e-3}};
  row.normalise();
  const auto back = decode_row(encode(row, 8), 8);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->size(), 2U);
  EXPECT_EQ(rounded_prob(row, 2), 0.0);
  EXPECT_EQ(rounded_prob(row, 7), 0.0);  // not in the row at all
}

TEST(RowCode, FortyEntriesOfALargeVocabularyTakeAbout240Bytes) {
  Rng rng(4, "row code");
  std::size_t largest = 0;
  for (int i = 0; i < 100; ++i) {
    largest = std::max(largest, encode(random_row(151'936, 40, 5.0, rng), 151'936).size());
  }
  EXPECT_LE(largest, 245U);
  EXPECT_GE(largest, 200U);
}

TEST(RowCode, TheLargestRowFitsAMessage) {
  spec::SparseDist row;
  for (spec::Token t = 0; t < static_cast<spec::Token>(kMaxRowEntries); ++t) {
    row.storage().push_back({16 * t, 1.0});
  }
  row.normalise();
  const auto code = encode(row, static_cast<spec::Token>(kMaxVocabulary));
  EXPECT_LT(code.size(), kMaxEdgeMessageBytes);
  EXPECT_TRUE(decode_row(code, static_cast<spec::Token>(kMaxVocabulary)).has_value());
}

// The code of the row {1: 1/4, 2: 3/4} over 4 tokens, with one part replaced.
class BrokenRow {
 public:
  BrokenRow& count(std::uint32_t n) {
    count_ = n;
    return *this;
  }
  BrokenRow& weights(std::vector<float> weights) {
    weights_ = std::move(weights);
    return *this;
  }
  BrokenRow& ids(std::vector<std::uint8_t> bytes) {
    ids_ = std::move(bytes);
    return *this;
  }
  [[nodiscard]] std::string error() const {
    std::vector<std::uint8_t> code;
    const auto put = [&code](std::uint32_t value) {
      for (unsigned shift = 0; shift < 32; shift += 8) {
        code.push_back(static_cast<std::uint8_t>(value >> shift));
      }
    };
    put(count_);
    code.insert(code.end(), ids_.begin(), ids_.end());
    for (const float weight : weights_) {
      put(std::bit_cast<std::uint32_t>(weight));
    }
    const auto row = decode_row(code, 4);
    return row ? ""
               : row.error().message.substr(std::string("the target's row is broken: ").size());
  }

 private:
  std::uint32_t count_ = 2;
  std::vector<std::uint8_t> ids_ = {0b0010};  // Rice, r = 1: 1 -> 0 1, then 0 -> 0 0
  std::vector<float> weights_ = {0.25F, 0.75F};
};

TEST(RowCode, RefusesWhatIsNoRow) {
  EXPECT_EQ(BrokenRow().error(), "");
  EXPECT_EQ(BrokenRow().count(0).error(), "it claims 0 entries, and 1 to 262144 are possible");
  EXPECT_EQ(BrokenRow().count(1U << 30U).error(),
            "it claims 1073741824 entries, and 1 to 262144 are possible");
  EXPECT_EQ(BrokenRow().count(3).error(), "it ends too early");
  EXPECT_EQ(BrokenRow().ids({}).error(), "it ends too early");
  EXPECT_EQ(BrokenRow().ids({0b1010'0010}).error(), "it is padded with something else than zeros");
  EXPECT_EQ(BrokenRow().ids({0b0000'1111}).error(), "it names a token outside the vocabulary");
  EXPECT_EQ(BrokenRow().ids({0b0010, 0}).error(), "bytes are left over");
  EXPECT_EQ(BrokenRow().weights({0.25F, 0.5F}).error(), "it sums to 0.75, not to 1");
  for (const float bad : {0.0F, -0.25F, std::numeric_limits<float>::infinity(),
                          std::numeric_limits<float>::quiet_NaN()}) {
    EXPECT_EQ(BrokenRow().weights({bad, 0.75F}).error(),
              "a weight is not a finite number above zero");
  }
  EXPECT_FALSE(decode_row(std::vector<std::uint8_t>{1, 0}, 4).has_value());
}

}  // namespace
}  // namespace gelato::proto
