// What a draft trace says about its pair of models: how often drafts are accepted, how that follows
// from the entropy of the draft's row, and how large top-p sets are.
//
// Rows are the first ones at every position: each context of the target's text counts once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "gelato/base/units.h"
#include "gelato/sim/draft_trace.h"

namespace gelato::sim {

// The prompts of one set, or of all.
struct SetStats {
  std::string set;
  std::size_t prompts = 0;
  std::size_t positions = 0;
  std::size_t ended = 0;       // prompts whose text the target ended itself
  double acceptance = 0.0;     // share of positions whose first drafted token is the target's
  double mean_accepted = 0.0;  // drafted tokens, of `depth`, up to the first that is not
  double mean_entropy = 0.0;   // nats
};
// One per set, in the order in which sets occur, then one of all prompts with an empty name.
std::vector<SetStats> set_stats(const DraftTrace& trace);

// Acceptance by entropy, GELATO (arXiv 2605.10124) figure 2.
struct EntropyBin {
  double low = 0.0;  // nats; rows with low <= H < high
  double high = 0.0;
  std::size_t rows = 0;
  double mean_entropy = 0.0;
  double acceptance = 0.0;
};
// Bins of `width` > 0 nats from 0 on, up to the last that has rows; empty bins between are kept.
std::vector<EntropyBin> entropy_bins(const DraftTrace& trace, double width);

// The decay a of phi(H) = exp(-a H), equation (10) of the paper, which publishes 0.35.
struct EntropyFit {
  double decay = 0.0;              // maximum likelihood over all rows
  double standard_error = 0.0;     // from the Fisher information
  double calibration_error = 0.0;  // mean of |acceptance - phi(mean H)| over rows in `bins`
};
// 0 <= decay <= kMaxDecay; every row accepted gives 0.
inline constexpr double kMaxDecay = 100.0;
EntropyFit fit_entropy(const DraftTrace& trace, const std::vector<EntropyBin>& bins);

// Top-p sets, figure 3 of the paper, and what one costs on the uplink in equation (2):
// |S| (bits per probability + bits per index), the index with ceil(log2 |V|) bits.
struct TopSetStats {
  double mean = 0.0;  // tokens
  std::uint32_t median = 0;
  std::uint32_t p90 = 0;
  std::uint32_t p99 = 0;
  std::uint32_t max = 0;
  Bits mean_payload;     // of one row
  Bits full_payload;     // of a row with the whole vocabulary, no indices needed
  double mass_lost = 0;  // at most this share of a row's probability is outside its set: 1 - top_p
  // Element k counts rows with 2^k <= |S| < 2^(k+1).
  std::vector<std::size_t> histogram;
};
TopSetStats top_set_stats(const DraftTrace& trace, Bits per_prob);

}  // namespace gelato::sim
