// goodput — the rule of SmartSpec, Liu et al., arXiv 2406.14066: before each round the length k in
// 0..K that maximises goodput, expected tokens over expected time, with (1 - a^(k+1)) / (1 - a)
// tokens at acceptance rate a, and a from a moving average of what was accepted. k = 0 lets the
// target decode.
//
// From the paper: the objective, its token model and the moving average. Here the batch is the one
// session, and the time of a length comes from the round's CostEstimate instead of the paper's
// linear regression over batches.
// Ours: the average is over tokens that were tested (a token after a rejection was not), and
// forgets towards 0.7 with `window` rounds, so that a policy which chose k = 0 tries again later.
#pragma once

#include <array>
#include <memory>
#include <span>

#include "gelato/control/policy.h"
#include "gelato/control/policy_kind.h"

namespace gelato::control {

inline constexpr std::array kGoodputParameters{
    length_parameter(16),
    Parameter{.name = "window",
              .meaning = "rounds after which a verdict counts 1/e",
              .fallback = 100,
              .min = 1,
              .max = 1e6},
};

std::unique_ptr<Policy> make_goodput(std::span<const double> values);

inline constexpr PolicyKind kGoodput{
    .name = "goodput",
    .parameters = kGoodputParameters,
    .summary = "SmartSpec's rule: the length with the most expected tokens per second, 0 included",
    .create = make_goodput};

}  // namespace gelato::control
