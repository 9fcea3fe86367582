// What a round with a draft of gamma tokens is expected to take, cost and yield, from a
// CostEstimate; shared by the policies that weigh lengths against each other.
//
// The functions of a CostEstimate expect one that went through usable(). They are pure, total and
// finite.
#pragma once

#include <cstdint>

#include "gelato/base/units.h"
#include "gelato/control/policy.h"

namespace gelato::control {

// Largest quantity that is believed: 10^12 seconds, joules or bits are no measurement, and sums and
// products of such numbers stay far from overflow.
inline constexpr double kLargestQuantity = 1e12;

// `x` if it can be a measured quantity (0 .. kLargestQuantity), else 0, which stands for unknown.
double usable(double x);
template <class Tag>
Quantity<Tag> usable(Quantity<Tag> x) {
  return Quantity<Tag>(usable(x.value()));
}
// Every field usable.
CostEstimate usable(const CostEstimate& cost);

// Expected tokens of a round with gamma drafted tokens, each accepted with probability rho in
// [0, 1] independently of the others: (1 - rho^(gamma+1)) / (1 - rho), and gamma + 1 at rho = 1.
// Leviathan et al., arXiv 2211.17192, equation 1; GELATO, arXiv 2605.10124, equation 6.
double expected_tokens(double rho, std::uint32_t gamma);

// Device time and energy of drafting gamma tokens.
Seconds drafting_time(const CostEstimate& cost, std::uint32_t gamma);
Joules drafting_energy(const CostEstimate& cost, std::uint32_t gamma);
// Serialisation of the draft and its framing; 0 without a network.
Seconds uplink_time(const CostEstimate& cost, std::uint32_t gamma);
// From a request's last bit to its pass and from the pass back to the device.
Seconds away_time(const CostEstimate& cost);
// The target's pass over gamma draft tokens, other devices' tokens included.
Seconds verify_time(const CostEstimate& cost, std::uint32_t gamma);
// The whole round, drafting and network included.
Seconds round_time(const CostEstimate& cost, std::uint32_t gamma);

// tokens / time, for times down to a nanosecond: below that nothing was measured.
double tokens_per_second(double tokens, Seconds time);

// The length in first..last with the largest score(length), the smallest of equals; `first` if no
// score is a number. Precondition: first <= last.
template <class Score>
std::uint32_t best_length(std::uint32_t first, std::uint32_t last, Score score) {
  std::uint32_t best = first;
  double best_score = score(first);
  for (std::uint32_t length = first + 1; length <= last; ++length) {
    const double candidate = score(length);
    if (candidate > best_score) {
      best = length;
      best_score = candidate;
    }
  }
  return best;
}

}  // namespace gelato::control
