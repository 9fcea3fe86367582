// Truncated, quantised rows for the wire (mode `qrow`; cf. Quantize-Sample-Verify, arXiv
// 2507.00605). The device draws its token from the quantised row itself, so the row that both sides
// hold is the proposal, and verification against it is exact whatever the quantisation lost.
//
// A row is at most K entries; entry weights are integers w_j >= 1 with sum exactly 2^b, and the
// probability of entry j is w_j / 2^b: integers on both sides, so both compute the same bits.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "gelato/base/result.h"
#include "gelato/spec/sparse_dist.h"

namespace gelato::spec {

struct DistCodecParams {
  std::uint32_t max_entries = 16;  // K, 1..kMaxEntries
  std::uint32_t weight_bits = 12;  // b, 1..kMaxWeightBits, and 2^b >= K
  Token n_vocab = 0;               // ids are coded in ceil(log2 n_vocab) bits
};

// Encodes and decodes rows. Immutable after creation; safe from several threads.
class DistCodec {
 public:
  static constexpr std::uint32_t kMaxEntries = 4096;
  static constexpr std::uint32_t kMaxWeightBits = 24;

  // Errors: kInvalidArgument, naming the parameter that is out of its range.
  static Result<DistCodec> create(const DistCodecParams& params);

  // Replaces `row` by its truncated, quantised version: the K most probable entries (lower id first
  // among equals), weights by largest remainder with a floor of one. Deterministic. Idempotent.
  // Precondition: row not empty.
  void quantise(SparseDist& row) const;

  // Appends the coded row to `out`, byte-aligned. Precondition: `row` came out of quantise().
  void encode(const SparseDist& row, std::vector<std::uint8_t>& out) const;

  // Reads one coded row from the front of `in` and advances it. Nothing is trusted.
  // Errors: kCorrupt: truncated input, entry count of 0 or above K, id outside the vocabulary or
  // not ascending, weights that do not sum to 2^b.
  Result<SparseDist> decode(std::span<const std::uint8_t>& in) const;

  // Upper bound of one coded row in bytes.
  [[nodiscard]] std::size_t max_encoded_bytes() const;

  [[nodiscard]] const DistCodecParams& params() const { return params_; }

 private:
  explicit DistCodec(const DistCodecParams& params);
  DistCodecParams params_;
  std::uint32_t id_bits_ = 0;
  std::uint32_t count_bits_ = 0;
};

}  // namespace gelato::spec
