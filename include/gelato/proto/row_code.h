// The target's row p on its way down in mode DSSD (cf. arXiv 2507.12000), such that edge and device
// hold the same doubles. The row that decides is p_j = w_j / sum(w), where w_j is the target's
// probability rounded to a 32-bit float, zeros dropped, and the sum runs over the doubles w_j in
// ascending token order: conversions, additions and one division, which IEEE 754 rounds the same
// way on every machine. The edge tests with this p, the device draws with this p. It differs from
// the row before rounding by a factor within 1 +- 2^-23, which is less than the last bit of a
// 32-bit logit makes.
//
// The code: number of entries n, 4 bytes, lowest first; the ids, ascending, each as its distance
// from the id before, less 1 (the first: the id), Rice code with parameter floor(log2(V / n)),
// filled up to whole bytes with zeros; n floats of 4 bytes, lowest byte first.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "gelato/proto/error.h"
#include "gelato/spec/sparse_dist.h"

namespace gelato::proto {

// How far the floats' sum may be from 1: 2^18 entries, each rounded by at most 2^-24 of itself.
inline constexpr double kRowSumTolerance = 1e-6;

// The probability of `token` that edge and device agree on. Precondition: row not empty.
double rounded_prob(const spec::SparseDist& row, spec::Token token);

// Appends the code of `row` to `out`. Precondition: row not empty, ids below n_vocab, at most
// kMaxRowEntries entries.
void encode_row(const spec::SparseDist& row, spec::Token n_vocab, std::vector<std::uint8_t>& out);

// Errors: kRow: truncated or with bytes left over, no or too many entries, an id outside the
// vocabulary, a weight that is not a finite number above zero, a sum that is not 1 within
// kRowSumTolerance.
WireResult<spec::SparseDist> decode_row(std::span<const std::uint8_t> code, spec::Token n_vocab);

}  // namespace gelato::proto
