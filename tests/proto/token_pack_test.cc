#include "gelato/proto/token_pack.h"

#include <gtest/gtest.h>

#include "gelato/base/rng.h"

namespace gelato::proto {
namespace {

TEST(TokenPack, WidthIsTheFewestBitsThatHoldTheLargestId) {
  EXPECT_EQ(token_bits(1), 1U);
  EXPECT_EQ(token_bits(2), 1U);
  EXPECT_EQ(token_bits(3), 2U);
  EXPECT_EQ(token_bits(4096), 12U);
  EXPECT_EQ(token_bits(4097), 13U);
  EXPECT_EQ(token_bits(151'936), 18U);
  EXPECT_EQ(packed_bytes(8, 151'936), 18U);
  EXPECT_EQ(packed_bytes(0, 4096), 0U);
}

TEST(TokenPack, LayoutIsLowestBitFirst) {
  // 12 bits each: 0x001, 0xabc -> 001 + abc << 12 = 0xabc001.
  EXPECT_EQ(pack_tokens(std::vector<spec::Token>{0x001, 0xabc}, 4096), std::string("\x01\xc0\xab"));
}

TEST(TokenPack, ComesBackForEveryWidth) {
  Rng rng(1, "token pack");
  for (int bits = 0; bits <= 22; ++bits) {
    const auto n_vocab = static_cast<spec::Token>(1 << bits);
    for (const std::size_t count : {0U, 1U, 7U, 64U, 65U}) {
      std::vector<spec::Token> tokens;
      for (std::size_t i = 0; i < count; ++i) {
        tokens.push_back(static_cast<spec::Token>(rng.below(std::uint64_t{1} << bits)));
      }
      const std::string bytes = pack_tokens(tokens, n_vocab);
      EXPECT_EQ(bytes.size(), packed_bytes(count, n_vocab));
      EXPECT_EQ(unpack_tokens(bytes, count, n_vocab), tokens);
    }
  }
}

TEST(TokenPack, RefusesWhatItDidNotPack) {
  const std::string bytes = pack_tokens(std::vector<spec::Token>{1, 2, 3}, 1000);  // 30 bits
  EXPECT_EQ(unpack_tokens(bytes, 4, 1000).error().kind, ErrorKind::kMalformed);
  EXPECT_EQ(unpack_tokens(bytes.substr(1), 3, 1000).error().kind, ErrorKind::kMalformed);
  EXPECT_EQ(unpack_tokens(bytes + '\0', 3, 1000).error().kind, ErrorKind::kMalformed);
  std::string padded = bytes;
  padded.back() = static_cast<char>(padded.back() | 0x40);
  EXPECT_EQ(unpack_tokens(padded, 3, 1000).error().message,
            "packed tokens are padded with something else than zeros");
  const std::string outside = pack_tokens(std::vector<spec::Token>{1, 1000, 3}, 1024);
  EXPECT_EQ(unpack_tokens(outside, 3, 1000).error().message,
            "token 1000 is outside the vocabulary of 1000");
  // No memory is asked for on the word of a message.
  EXPECT_EQ(unpack_tokens("", std::size_t{1} << 40U, 1000).error().kind, ErrorKind::kMalformed);
}

}  // namespace
}  // namespace gelato::proto
