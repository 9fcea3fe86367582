#include "gelato/spec/acceptance_stats.h"

#include <algorithm>
#include <cassert>

namespace gelato::spec {
namespace {

double ratio(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

void AcceptanceStats::add(std::uint32_t drafted, const Verdict& verdict) {
  assert(verdict.accepted <= drafted);
  ++rounds_;
  drafted_ += drafted;
  accepted_ += verdict.accepted;
  for (std::size_t i = 0; i < drafted; ++i) {
    const std::size_t depth = std::min(i, kMaxDepth - 1);
    ++drafted_at_[depth];
    accepted_at_[depth] += i < verdict.accepted ? 1 : 0;
  }
}

double AcceptanceStats::acceptance_rate() const { return ratio(accepted_, drafted_); }

double AcceptanceStats::mean_accepted() const { return ratio(accepted_, rounds_); }

double AcceptanceStats::survival(std::size_t depth) const {
  return ratio(accepted_at(depth), drafted_at(depth));
}

}  // namespace gelato::spec
