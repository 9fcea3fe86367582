// specdecpp-threshold — the stopping rule of SpecDec++, Huang, Guo and Wang, arXiv 2405.19715: the
// draft ends when the probability that at least one of its tokens is rejected,
// 1 - prod_i beta_i, exceeds a threshold; the paper proves that the optimal policy has this form.
//
// From the authors' code: threshold 0.7, at least 2 and at most 20 tokens. The paper predicts beta
// with a network head on the draft model's hidden state, trained for the model pair; here it is our
// AcceptancePredictor, which sees entropy, top-1 probability, margin and depth and learns online.
#pragma once

#include <array>
#include <memory>
#include <span>

#include "gelato/control/policy.h"
#include "gelato/control/policy_kind.h"

namespace gelato::control {

inline constexpr std::array kSpecDecPpParameters{
    Parameter{
        .name = "threshold", .meaning = "stop when P(a rejection) exceeds it", .fallback = 0.7},
    Parameter{.name = "least",
              .meaning = "shortest draft, tokens",
              .fallback = 2,
              .min = 1,
              .max = kMaxDraftLength,
              .whole = true},
    length_parameter(20),
};

std::unique_ptr<Policy> make_specdecpp_threshold(std::span<const double> values);

inline constexpr PolicyKind kSpecDecPpThreshold{
    .name = "specdecpp-threshold",
    .parameters = kSpecDecPpParameters,
    .summary = "SpecDec++'s rule with an acceptance predictor that learns online",
    .create = make_specdecpp_threshold};

}  // namespace gelato::control
