// Rows for the tests of this module.
#pragma once

#include <cmath>
#include <utility>
#include <vector>

#include "gelato/base/rng.h"
#include "gelato/spec/sparse_dist.h"

namespace gelato::spec {

inline SparseDist row_of(std::vector<TokenProb> entries) {
  return SparseDist::from_entries(std::move(entries), 1 << 30).value();
}

// Softmax-like: log-probabilities uniform over a range of `sharpness`; each token but one of
// [0, n_vocab) is left out with probability `zero_share`.
inline SparseDist random_row(Token n_vocab, double sharpness, double zero_share, Rng& rng) {
  SparseDist row;
  const auto always = static_cast<Token>(rng.below(static_cast<std::uint64_t>(n_vocab)));
  for (Token t = 0; t < n_vocab; ++t) {
    const double weight = std::exp(sharpness * rng.uniform());
    if (t == always || rng.uniform() >= zero_share) {
      row.storage().push_back({t, weight});
    }
  }
  row.normalise();
  return row;
}

}  // namespace gelato::spec
