// adaedl — AdaEDL, Agrawal, Jeon and Lee, arXiv 2410.18351: the draft ends when an entropy-based
// lower bound on the acceptance probability of the newest token, 1 - sqrt(c H), falls below a
// threshold lambda.
//
// From the paper: the bound, c = 0.2, and that lambda follows the acceptance seen.
// Our reading of how it follows: as in Draft & Verify (Zhang et al., arXiv 2309.08168, and its
// code). After each verdict the mean acceptance A <- 0.5 A + 0.5 accepted/drafted is compared with
// a target; below it lambda' = lambda + step, else lambda' = lambda - step unless the draft had its
// full length; then lambda <- 0.9 lambda + 0.1 lambda'.
// Ours: H in nats; the initial lambda (the paper tunes it for each task), which ends drafts at the
// same entropy as svip's default, 0.6 nats; the newest token stays in the draft.
#pragma once

#include <array>
#include <memory>
#include <span>

#include "gelato/control/policy.h"
#include "gelato/control/policy_kind.h"

namespace gelato::control {

// max(0, 1 - sqrt(scale * entropy)). Precondition: both not negative.
double adaedl_bound(double entropy, double scale);

inline constexpr std::array kAdaEdlParameters{
    Parameter{.name = "threshold", .meaning = "initial lambda", .fallback = 0.65},
    Parameter{.name = "scale",
              .meaning = "c in 1 - sqrt(c * entropy in nats)",
              .fallback = 0.2,
              .max = 100.0},
    Parameter{.name = "target", .meaning = "acceptance rate aimed at", .fallback = 0.9},
    Parameter{.name = "step", .meaning = "change of lambda per round", .fallback = 0.01},
    length_parameter(16),
};

std::unique_ptr<Policy> make_adaedl(std::span<const double> values);

inline constexpr PolicyKind kAdaEdl{
    .name = "adaedl",
    .parameters = kAdaEdlParameters,
    .summary = "stops when an entropy bound on acceptance falls below an adaptive threshold",
    .create = make_adaedl};

}  // namespace gelato::control
