// Token ids at their fixed width: ceil(log2 V) bits each, lowest bit first, filled up to whole
// bytes with zeros.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gelato/proto/error.h"
#include "gelato/spec/sparse_dist.h"

namespace gelato::proto {

// ceil(log2 n_vocab), at least 1: 12 for 4096, 18 for 151 936. Precondition: n_vocab > 0.
unsigned token_bits(spec::Token n_vocab);
std::size_t packed_bytes(std::size_t count, spec::Token n_vocab);

// Precondition: every id is within [0, n_vocab).
std::string pack_tokens(std::span<const spec::Token> tokens, spec::Token n_vocab);

// Exactly `count` tokens out of `bytes`. Nothing is allocated before the length has been checked.
// Errors: kMalformed (another number of bytes than `count` needs, padding that is not zero),
// kTokenRange.
WireResult<std::vector<spec::Token>> unpack_tokens(std::string_view bytes, std::size_t count,
                                                   spec::Token n_vocab);

}  // namespace gelato::proto
