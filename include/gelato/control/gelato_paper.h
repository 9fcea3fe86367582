// gelato-paper — the controller of GELATO, arXiv 2605.10124, section III, as published.
//
// Outer loop, once per round: (6) the tokens a draft of gamma yields at the reference acceptance
// rate rho_0, (7) the energy queue, (8) the length that maximises V E[N]/T - Q E by enumeration of
// 1..gamma_0. Inner loop, once per drafted token: (10) to (13), a bucket that fills with the
// entropy H = -sum q ln q of the drafted row (spec::RowStats::entropy) above H_th and ends the
// draft when it holds more than Theta_th. The notes that this is built from do not spell out (9);
// by its place it defines H.
//
// T and E of a length come from the round's CostEstimate, with the paper's accounting: draft and
// uplink cost energy, waiting does not (3). While the device's drafting speed is unknown (zero) it
// is taken from equation 1 with the published setting, so that a simulation which leaves those
// fields at zero reproduces the paper; T^LLM is likewise the published 100 ms while verify_base is
// unknown. A token at which the bucket overflows stays in the draft.
//
// Our reading where the paper is silent: H is in nats; a round without a verdict feeds the queue,
// because its joules are spent.
#pragma once

#include <array>
#include <memory>
#include <span>

#include "gelato/base/units.h"
#include "gelato/control/paper_equations.h"
#include "gelato/control/policy.h"
#include "gelato/control/policy_kind.h"

namespace gelato::control {

namespace paper {

// (8) V E[N]/T - Q E.
double utility(double v, double tokens, Seconds time, Joules queue, Joules energy);
// (10) rho = phi(H) = exp(-decay H).
double acceptance_from_entropy(double entropy, double decay);
// (11) H_th = phi^-1(rho_0).
double entropy_threshold(double rho0, double decay);
// (12) Theta_i = max(0, Theta_{i-1} + H_i - H_th).
double fill_bucket(double theta, double entropy, double threshold);

}  // namespace paper

inline constexpr std::array kGelatoPaperParameters{
    Parameter{.name = "v",
              .meaning = "weight of throughput against energy",
              .fallback = 10.0,
              .max = 1e6,
              .above_min = true},
    Parameter{.name = "budget",
              .meaning = "joules per round",
              .fallback = paper::kBudgetPerStep.value(),
              .max = 1e6,
              .above_min = true},
    Parameter{.name = "rho",
              .meaning = "reference acceptance rate",
              .fallback = paper::kRho0,
              .max = 0.9999,
              .above_min = true},
    Parameter{.name = "decay",
              .meaning = "acceptance falls as exp(-decay * entropy in nats)",
              .fallback = paper::kEntropyDecay,
              .max = 100.0,
              .above_min = true},
    Parameter{.name = "ratio",
              .meaning = "the bucket holds ratio * the entropy threshold",
              .fallback = paper::kStopRatio,
              .max = 1000.0},
    length_parameter(paper::kMaxDraft),
};

std::unique_ptr<Policy> make_gelato_paper(std::span<const double> values);

inline constexpr PolicyKind kGelatoPaper{
    .name = "gelato-paper",
    .parameters = kGelatoPaperParameters,
    .summary = "GELATO as published: energy queue, length by enumeration, entropy bucket",
    .create = make_gelato_paper};

}  // namespace gelato::control
