#include "gelato/proto/token_pack.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstdint>

namespace gelato::proto {

unsigned token_bits(spec::Token n_vocab) {
  return std::max(1U, static_cast<unsigned>(std::bit_width(static_cast<unsigned>(n_vocab) - 1)));
}

std::size_t packed_bytes(std::size_t count, spec::Token n_vocab) {
  return (count * token_bits(n_vocab) + 7) / 8;
}

std::string pack_tokens(std::span<const spec::Token> tokens, spec::Token n_vocab) {
  const unsigned bits = token_bits(n_vocab);
  std::string out;
  out.reserve(packed_bytes(tokens.size(), n_vocab));
  std::uint64_t held = 0;  // the lowest `used` bits are not written yet
  unsigned used = 0;
  for (const spec::Token token : tokens) {
    held |= static_cast<std::uint64_t>(token) << used;
    for (used += bits; used >= 8; used -= 8) {
      out.push_back(static_cast<char>(held & 0xff));
      held >>= 8U;
    }
  }
  if (used > 0) {
    out.push_back(static_cast<char>(held));
  }
  return out;
}

WireResult<std::vector<spec::Token>> unpack_tokens(std::string_view bytes, std::size_t count,
                                                   spec::Token n_vocab) {
  const unsigned bits = token_bits(n_vocab);
  if (bytes.size() != packed_bytes(count, n_vocab)) {
    return refuse(ErrorKind::kMalformed,
                  fmt::format("{} tokens of {} bits come in {} bytes, not {}", count, bits,
                              packed_bytes(count, n_vocab), bytes.size()));
  }
  std::vector<spec::Token> out;
  out.reserve(count);
  const std::uint64_t mask = (std::uint64_t{1} << bits) - 1;
  std::uint64_t held = 0;
  unsigned used = 0;
  for (const char byte : bytes) {
    held |= static_cast<std::uint64_t>(static_cast<unsigned char>(byte)) << used;
    used += 8;
    while (used >= bits && out.size() < count) {
      const auto token = static_cast<std::int64_t>(held & mask);
      if (token >= n_vocab) {
        return refuse(ErrorKind::kTokenRange,
                      fmt::format("token {} is outside the vocabulary of {}", token, n_vocab));
      }
      out.push_back(static_cast<spec::Token>(token));
      held >>= bits;
      used -= bits;
    }
  }
  if (held != 0) {
    return refuse(ErrorKind::kMalformed, "packed tokens are padded with something else than zeros");
  }
  return out;
}

}  // namespace gelato::proto
