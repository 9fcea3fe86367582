#include "gelato/spec/dist_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/spec/rows.h"

namespace gelato::spec {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

DistCodec codec_with(const DistCodecParams& params) { return DistCodec::create(params).value(); }

std::vector<std::uint8_t> coded(const DistCodec& codec, const SparseDist& row) {
  std::vector<std::uint8_t> out;
  codec.encode(row, out);
  return out;
}

// What a target that agrees with `a` accepts of drafts from `b`.
double overlap(const SparseDist& a, const SparseDist& b) {
  double sum = 0.0;
  for (const TokenProb& e : a.entries()) {
    sum += std::min(e.prob, b.prob(e.token));
  }
  return sum;
}

const std::vector<DistCodecParams>& parameter_table() {
  static const std::vector<DistCodecParams> table{
      {.n_vocab = 4096},
      {.n_vocab = 151936},
      {.max_entries = 16, .weight_bits = 12, .n_vocab = 128256},
      {.max_entries = 256, .weight_bits = 16, .max_bytes = 1024, .n_vocab = 4096},
      {.max_entries = 40, .weight_bits = 10, .max_bytes = 64, .n_vocab = 300},
      {.max_entries = 7, .weight_bits = 1, .max_bytes = 9, .n_vocab = 1000},
      {.max_entries = 1, .weight_bits = 8, .max_bytes = 4, .n_vocab = 32000},
      {.max_entries = 16, .weight_bits = 4, .max_bytes = 4, .n_vocab = 4096},
      {.max_entries = 3, .weight_bits = 5, .max_bytes = 8, .n_vocab = 1},
  };
  return table;
}

// Rows of all shapes: from one entry to flat over hundreds, ids crowded or spread out.
SparseDist any_row(Token n_vocab, Rng& rng) {
  const auto span = static_cast<std::uint64_t>(n_vocab);
  const Token width = static_cast<Token>(1 + rng.below(std::min<std::uint64_t>(span, 400)));
  const auto stride =
      1 + rng.below(std::max<std::uint64_t>(span / static_cast<unsigned>(width), 1));
  SparseDist row = random_row(width, 12.0 * rng.uniform(), 0.9 * rng.uniform(), rng);
  for (TokenProb& e : row.storage()) {
    e.token *= static_cast<Token>(stride);
  }
  return row;
}

TEST(DistCodec, NamesTheParameterThatIsOutOfRange) {
  const auto message = [](const DistCodecParams& params) {
    const auto codec = DistCodec::create(params);
    EXPECT_EQ(codec.error().code, ErrorCode::kInvalidArgument);
    return codec.error().message;
  };
  EXPECT_THAT(message({.max_entries = 0, .n_vocab = 10}), HasSubstr("max_entries is 0"));
  EXPECT_THAT(message({.max_entries = 257, .n_vocab = 10}), HasSubstr("from 1 to 256"));
  EXPECT_THAT(message({.weight_bits = 0, .n_vocab = 10}), HasSubstr("weight_bits is 0"));
  EXPECT_THAT(message({.weight_bits = 17, .n_vocab = 10}), HasSubstr("from 1 to 16"));
  EXPECT_THAT(message({.n_vocab = 0}), HasSubstr("n_vocab is 0"));
  EXPECT_THAT(message({.n_vocab = -5}), HasSubstr("n_vocab is -5"));
  // 4 bits for the count and 13 for one id of 4096.
  EXPECT_THAT(message({.max_bytes = 2, .n_vocab = 4096}), HasSubstr("from 3 to 1024"));
  EXPECT_THAT(message({.max_bytes = 1025, .n_vocab = 4096}), HasSubstr("max_bytes is 1025"));
}

TEST(DistCodec, QuantisesByLargestRemainder) {
  const DistCodec codec = codec_with({.max_entries = 3, .weight_bits = 3, .n_vocab = 100});
  SparseDist row = row_of({{10, 0.46}, {20, 0.05}, {30, 0.17}, {40, 0.32}});
  codec.quantise(row);
  // Without token 20, eighths: 3.87, 1.43, 2.69.
  EXPECT_THAT(row.entries(),
              ElementsAre(TokenProb{10, 0.5}, TokenProb{30, 0.125}, TokenProb{40, 0.375}));
}

TEST(DistCodec, KeepsTheLowerOfEquallyProbableTokens) {
  const DistCodec codec = codec_with({.max_entries = 2, .n_vocab = 100});
  SparseDist row = row_of({{3, 0.25}, {5, 0.25}, {7, 0.25}, {9, 0.25}});
  codec.quantise(row);
  EXPECT_THAT(row.entries(), ElementsAre(TokenProb{3, 0.5}, TokenProb{5, 0.5}));
}

TEST(DistCodec, DropsEntriesThatWouldWeighNothing) {
  const DistCodec codec = codec_with({.weight_bits = 4, .n_vocab = 100});
  SparseDist row = row_of({{3, 0.97}, {5, 0.02}, {7, 0.01}});
  codec.quantise(row);
  EXPECT_EQ(row, SparseDist::one_hot(3));
}

class DistCodecProperties : public testing::TestWithParam<DistCodecParams> {
 protected:
  template <class Check>
  void for_many_rows(Check check) const {
    Rng rng(1, "rows");
    for (int i = 0; i < 2000; ++i) {
      SparseDist row = any_row(GetParam().n_vocab, rng);
      const SparseDist original = row;
      codec_.quantise(row);
      check(original, row);
    }
  }
  const DistCodec codec_ = codec_with(GetParam());
};

TEST_P(DistCodecProperties, QuantisedRowsAreRowsOfWholeWeights) {
  for_many_rows([&](const SparseDist& original, const SparseDist& row) {
    ASSERT_FALSE(row.empty());
    ASSERT_LE(row.size(), GetParam().max_entries);
    double sum = 0.0;
    Token last = -1;
    for (const TokenProb& e : row.entries()) {
      const double weight = std::ldexp(e.prob, static_cast<int>(GetParam().weight_bits));
      ASSERT_EQ(weight, std::floor(weight));
      ASSERT_GE(weight, 1.0);
      ASSERT_GT(e.token, last);
      ASSERT_GT(original.prob(e.token), 0.0);
      sum += e.prob;
      last = e.token;
    }
    ASSERT_EQ(sum, 1.0);
    ASSERT_GT(row.prob(original.argmax()), 0.0);
  });
}

TEST_P(DistCodecProperties, QuantisingTwiceChangesNothing) {
  for_many_rows([&](const SparseDist&, const SparseDist& row) {
    SparseDist again = row;
    codec_.quantise(again);
    ASSERT_EQ(again, row);
  });
}

TEST_P(DistCodecProperties, DecodesWhatWasEncodedBitForBitWithinTheBudget) {
  std::vector<std::uint8_t> wire;
  std::vector<SparseDist> rows;
  for_many_rows([&](const SparseDist&, const SparseDist& row) {
    const std::size_t before = wire.size();
    codec_.encode(row, wire);
    ASSERT_LE(wire.size() - before, GetParam().max_bytes);
    rows.push_back(row);
  });
  std::span<const std::uint8_t> in(wire);
  SparseDist decoded;
  for (const SparseDist& row : rows) {
    ASSERT_TRUE(codec_.decode(in, decoded));
    ASSERT_EQ(decoded, row);
  }
  EXPECT_TRUE(in.empty());
}

TEST_P(DistCodecProperties, TruncationAndNoiseAreErrorsOrRows) {
  Rng rng(2, "noise");
  SparseDist decoded;
  for_many_rows([&](const SparseDist&, const SparseDist& row) {
    std::vector<std::uint8_t> wire = coded(codec_, row);
    std::span<const std::uint8_t> cut(wire.data(), wire.size() - 1);
    ASSERT_EQ(codec_.decode(cut, decoded).error().code, ErrorCode::kCorrupt);
    ASSERT_EQ(cut.size(), wire.size() - 1);
    ASSERT_TRUE(decoded.empty());

    wire[rng.below(wire.size())] ^= static_cast<std::uint8_t>(1U << rng.below(8));
    std::span<const std::uint8_t> noisy(wire);
    if (codec_.decode(noisy, decoded)) {
      ASSERT_TRUE(SparseDist::from_entries({decoded.entries().begin(), decoded.entries().end()},
                                           GetParam().n_vocab, 0.0));
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Parameters, DistCodecProperties, testing::ValuesIn(parameter_table()));

// The code is a wire format: these bytes were computed from the header's description by another
// program.
TEST(DistCodec, CodeIsFrozen) {
  const DistCodec codec = codec_with({.n_vocab = 4096});
  EXPECT_THAT(coded(codec, SparseDist::one_hot(5)), ElementsAre(0xa0, 0x00, 0x00));
  const SparseDist row =
      row_of({{3, 1 / 128.0}, {17, 100 / 128.0}, {900, 20 / 128.0}, {4095, 7 / 128.0}});
  EXPECT_THAT(coded(codec, row), ElementsAre(0x63, 0x00, 0x0d, 0x90, 0xfb, 0xf4, 0x48, 0x78, 0x27));
}

TEST(DistCodec, RefusesEveryBrokenRule) {
  const DistCodec codec =
      codec_with({.max_entries = 3, .weight_bits = 6, .max_bytes = 4, .n_vocab = 5});
  const auto message = [&](std::vector<std::uint8_t> bytes) {
    std::span<const std::uint8_t> in(bytes);
    SparseDist row = SparseDist::one_hot(1);
    const auto result = codec.decode(in, row);
    EXPECT_FALSE(result);
    EXPECT_EQ(in.size(), bytes.size());
    EXPECT_TRUE(row.empty());
    return result ? std::string() : result.error().message;
  };
  // Bits are used from the lowest. Two of count; then ids, of Rice parameter 2 if there is one, of
  // parameter 1 if there are two; with two, one bit of largest, three of rice, one weight.
  EXPECT_THAT(message({}), HasSubstr("ends too early"));
  EXPECT_THAT(message({0b11}), HasSubstr("too many entries"));
  EXPECT_THAT(message({0b00'10'01'00}), HasSubstr("outside the vocabulary"));  // id 4 + 2
  EXPECT_THAT(message({0b001'000'00}), HasSubstr("padded"));                   // id 0, then a one
  EXPECT_THAT(message({0b1'0'00'00'01, 0b11}), HasSubstr("impossible code"));  // rice 7
  EXPECT_THAT(message({0b1'0'00'00'01, 0b1111'01'10, 0b1}), HasSubstr("more than one"));  // 64 / 64
  EXPECT_THAT(message({0b0'0'00'00'01, 0b111111'00, 0xff, 0xff}), HasSubstr("longer than agreed"));
}

// A token costs its row and one byte that names the drawn entry: 24 bytes at K = 16, whatever the
// row, for the bundled vocabulary.
TEST(DistCodec, WorstRowsOfTheBundledVocabularyFitTheBudget) {
  const DistCodec codec = codec_with({.n_vocab = 4096});
  SparseDist flat;
  for (Token t = 0; t < 4096; ++t) {
    flat.storage().push_back({t, 1.0});
  }
  flat.normalise();
  SparseDist spread;
  for (Token t = 1; t <= 16; ++t) {
    spread.storage().push_back({256 * t - 1, 1.0 / 16});
  }
  for (SparseDist row : {flat, spread}) {
    codec.quantise(row);
    EXPECT_GE(row.size(), 11U);
    EXPECT_LE(coded(codec, row).size() + 1, 24U);
  }
}

// Peaked rows, as a language model writes them (Zipf's law over a random order of the vocabulary),
// must survive almost whole: acceptance lost is draft work lost.
TEST(DistCodec, PeakedRowsLoseLittleOfTheirMass) {
  const DistCodec codec = codec_with({.n_vocab = 4096});
  Rng rng(3, "rows");
  double kept = 0.0;
  constexpr int kRows = 300;
  for (int i = 0; i < kRows; ++i) {
    SparseDist row;
    for (Token t = 0; t < 4096; ++t) {
      const double rank = 1.0 + static_cast<double>(rng.below(4096));
      row.storage().push_back({t, std::pow(rank, -2.0)});
    }
    row.normalise();
    SparseDist quantised = row;
    codec.quantise(quantised);
    kept += overlap(row, quantised) / kRows;
  }
  EXPECT_GT(kept, 0.9);
}

}  // namespace
}  // namespace gelato::spec
