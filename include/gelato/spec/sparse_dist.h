// A probability distribution over token ids with few non-zero entries: what top-k, top-p and min-p
// leave of a softmax row, or a one-hot row for greedy decoding.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "gelato/base/result.h"

namespace gelato::spec {

// A token id of a vocabulary, 0 <= id < vocabulary size. Same width as llama_token.
using Token = std::int32_t;

struct TokenProb {
  Token token = 0;
  double prob = 0.0;
  friend bool operator==(const TokenProb&, const TokenProb&) = default;
};

// Entries in ascending token order, each with probability > 0, summing to 1 within kSumTolerance.
// Assigning a new row keeps the storage, so that a reused SparseDist does not allocate.
class SparseDist {
 public:
  // How far the sum of a valid row may be from 1: rounding of 10^6 additions, far below any
  // statistical effect.
  static constexpr double kSumTolerance = 1e-9;

  // An empty row: no distribution at all.
  SparseDist() = default;

  // All mass on `token`.
  static SparseDist one_hot(Token token);

  // Takes `entries` of unknown origin (any order): drops zero entries, sorts, and checks that ids
  // are unique and within [0, n_vocab) and that the probabilities are finite, not negative and sum
  // to 1 within `sum_tolerance`; then scales them to sum to 1.
  // Errors: kInvalidArgument, with the first entry that breaks a rule.
  static Result<SparseDist> from_entries(std::vector<TokenProb> entries, Token n_vocab,
                                         double sum_tolerance = kSumTolerance);

  // For producers that guarantee the order themselves (the sampler): hands out the storage, to be
  // filled in ascending token order with weights > 0, followed by normalise().
  std::vector<TokenProb>& storage() { return entries_; }
  // Scales the weights to sum to 1. Precondition: their sum is positive and finite.
  void normalise();

  void assign_one_hot(Token token);
  void clear() { entries_.clear(); }

  [[nodiscard]] std::span<const TokenProb> entries() const { return entries_; }
  [[nodiscard]] bool empty() const { return entries_.empty(); }
  // Number of tokens with non-zero probability.
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

  // Probability of `token`, 0 if it has no entry. O(log size).
  [[nodiscard]] double prob(Token token) const;
  // Most probable token; the lowest id among equals. Precondition: not empty.
  [[nodiscard]] Token argmax() const;
  // Inverse-CDF draw in token order from u in [0, 1). Precondition: not empty.
  [[nodiscard]] Token sample(double u) const;

  friend bool operator==(const SparseDist&, const SparseDist&) = default;

 private:
  std::vector<TokenProb> entries_;
};

}  // namespace gelato::spec
