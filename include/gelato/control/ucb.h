// ucb — UCB-SpecStop, Sun et al., arXiv 2606.20591, algorithm 1: a bandit whose arms are the draft
// lengths 1..K. It plays each arm once and then the one with the smallest lower confidence bound of
// the time per token,
//     S_N / S_A - beta sqrt(T_k log t) / S_A,
// with S_N the time and S_A the tokens (the bonus included) of the T_k rounds at that length. The
// ratio of sums, not the mean of ratios, estimates C(k) = E[N | k] / E[A | k] without bias.
//
// From the authors' code: K = 10, beta = 1 with time in milliseconds.
// Ours: S_N is kept without the network delay expected for its round, and the delay expected now is
// added back when arms are compared, so that a change of delay moves the choice at once; with a
// constant delay this is the published index. A round that was cut short counts for the length it
// had; one without a verdict counts for nothing.
#pragma once

#include <array>
#include <memory>
#include <span>

#include "gelato/control/policy.h"
#include "gelato/control/policy_kind.h"

namespace gelato::control {

inline constexpr std::array kUcbParameters{
    length_parameter(10),
    Parameter{.name = "beta", .meaning = "exploration, milliseconds", .fallback = 1.0, .max = 1e6},
};

std::unique_ptr<Policy> make_ucb(std::span<const double> values);

inline constexpr PolicyKind kUcb{
    .name = "ucb",
    .parameters = kUcbParameters,
    .summary = "UCB-SpecStop: a bandit over lengths that minimises the time per token",
    .create = make_ucb};

}  // namespace gelato::control
