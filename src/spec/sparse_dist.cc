#include "gelato/spec/sparse_dist.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cmath>

namespace gelato::spec {
namespace {

double sum_of(std::span<const TokenProb> entries) {
  double sum = 0.0;
  for (const TokenProb& e : entries) {
    sum += e.prob;
  }
  return sum;
}

bool before(const TokenProb& a, const TokenProb& b) { return a.token < b.token; }

}  // namespace

SparseDist SparseDist::one_hot(Token token) {
  SparseDist row;
  row.assign_one_hot(token);
  return row;
}

void SparseDist::assign_one_hot(Token token) { entries_.assign(1, {token, 1.0}); }

Result<SparseDist> SparseDist::from_entries(std::vector<TokenProb> entries, Token n_vocab,
                                            double sum_tolerance) {
  for (const TokenProb& e : entries) {
    if (e.token < 0 || e.token >= n_vocab) {
      return fail(
          ErrorCode::kInvalidArgument,
          fmt::format("a probability row names token {}, but the vocabulary has ids 0 to {}",
                      e.token, n_vocab - 1));
    }
    if (!std::isfinite(e.prob) || e.prob < 0.0) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("a probability row gives token {} the probability {}, which is not a "
                              "finite number >= 0",
                              e.token, e.prob));
    }
  }
  // Before zeros are dropped: a second entry is an error whatever its probability.
  std::sort(entries.begin(), entries.end(), before);
  const auto same = [](const TokenProb& a, const TokenProb& b) { return a.token == b.token; };
  const auto twice = std::adjacent_find(entries.begin(), entries.end(), same);
  if (twice != entries.end()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("a probability row names token {} twice", twice->token));
  }
  std::erase_if(entries, [](const TokenProb& e) { return e.prob == 0.0; });
  const double sum = sum_of(entries);
  if (!(std::abs(sum - 1.0) <= sum_tolerance)) {
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format("a probability row sums to {}, not to 1 within {}", sum, sum_tolerance));
  }
  SparseDist row;
  row.entries_ = std::move(entries);
  row.normalise();
  return row;
}

void SparseDist::normalise() {
  const double sum = sum_of(entries_);
  assert(std::isfinite(sum) && sum > 0.0);
  for (TokenProb& e : entries_) {
    e.prob /= sum;
  }
}

double SparseDist::prob(Token token) const {
  const auto at = std::lower_bound(entries_.begin(), entries_.end(), TokenProb{token, 0.0}, before);
  return at != entries_.end() && at->token == token ? at->prob : 0.0;
}

Token SparseDist::argmax() const {
  assert(!entries_.empty());
  const auto less_likely = [](const TokenProb& a, const TokenProb& b) { return a.prob < b.prob; };
  return std::max_element(entries_.begin(), entries_.end(), less_likely)->token;
}

Token SparseDist::sample(double u) const {
  assert(!entries_.empty());
  double cumulated = 0.0;
  for (const TokenProb& e : entries_) {
    cumulated += e.prob;
    if (u < cumulated) {
      return e.token;
    }
  }
  return entries_.back().token;  // the sum was rounded to just below u
}

}  // namespace gelato::spec
