// Truncated, quantised rows for the wire (mode `qrow`; cf. Quantize-Sample-Verify, arXiv
// 2507.00605). The device draws its token from the quantised row itself, so the row that both sides
// hold is the proposal, and verification against it is exact whatever the quantisation lost.
//
// A row is at most K entries; entry weights are integers w_j >= 1 with sum exactly 2^b, and the
// probability of entry j is w_j / 2^b: integers on both sides, so both compute the same bits.
//
// The code of one row, a string of bits filled up to whole bytes with zeros (lowest bit first):
//   count     n - 1, in the fewest bits that hold K - 1
//   ids       ascending; each as its distance from the id before, less 1 (the first: the id), Rice
//             code with parameter floor(log2(n_vocab / n)): at most n (log2(n_vocab / n) + 3) bits
//   only if n > 1:
//   largest   index of the largest weight, in the fewest bits that hold n - 1; that weight is what
//             the others leave of 2^b
//   rice      parameter r of the weights, in the fewest bits that hold b - 1
//   weights   of all others, in the order of the ids: w_j - 1, Rice code with parameter r
// Rice code of v with parameter r: v >> r ones, a zero, then the r low bits of v.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "gelato/base/result.h"
#include "gelato/spec/sparse_dist.h"

namespace gelato::spec {

// The defaults keep a drafted token within 24 bytes: a row, and one byte to name the entry that was
// drawn from it. What that costs in acceptance: docs/modules/spec.md.
struct DistCodecParams {
  std::uint32_t max_entries = 16;  // K, 1..kMaxEntries
  std::uint32_t weight_bits = 7;   // b, 1..kMaxWeightBits
  std::uint32_t max_bytes = 23;    // of one coded row; enough for one entry, at most kMaxBytes
  Token n_vocab = 0;               // > 0
  friend bool operator==(const DistCodecParams&, const DistCodecParams&) = default;
};

// Encodes and decodes rows. Immutable after creation; safe from several threads. Nothing here
// allocates when the rows and buffers passed in have been used before.
class DistCodec {
 public:
  static constexpr std::uint32_t kMaxEntries = 256;  // so that one byte names an entry
  static constexpr std::uint32_t kMaxWeightBits = 16;
  static constexpr std::uint32_t kMaxBytes = 1024;

  // Errors: kInvalidArgument, naming the parameter that is out of its range.
  static Result<DistCodec> create(const DistCodecParams& params);

  // Replaces `row` by its truncated, quantised version: of the K most probable entries (lower id
  // first among equals) those that are left after the least probable have been dropped until the
  // coded row fits into max_bytes; weights by largest remainder, and entries of weight 0 dropped.
  // Deterministic. Idempotent. Precondition: row not empty.
  void quantise(SparseDist& row) const;

  // Appends the coded row to `out`, byte-aligned; at most max_bytes. Precondition: `row` came out
  // of quantise() or decode() of a codec with the same parameters.
  void encode(const SparseDist& row, std::vector<std::uint8_t>& out) const;

  // Reads one coded row from the front of `in` into `row` and advances `in`. Nothing is trusted,
  // and nothing is allocated but storage of max_entries entries in `row`.
  // Errors: kCorrupt: truncated or over max_bytes, more than K entries, id outside the vocabulary,
  // weights above 2^b, padding that is not zero. Then `in` is unchanged and `row` is empty.
  Result<void> decode(std::span<const std::uint8_t>& in, SparseDist& row) const;

  [[nodiscard]] const DistCodecParams& params() const { return params_; }

 private:
  explicit DistCodec(const DistCodecParams& params);
  DistCodecParams params_;
};

}  // namespace gelato::spec
