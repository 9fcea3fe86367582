// The two bounds of GELATO's Theorem 1 (arXiv 2605.10124), checked on a run of `gelato-paper`.
//
// With budget E per step, weight V, and B = max_k (E_k - E)^2 / 2 over the run's steps:
//   energy       mean E_k - E <= sqrt(2 (B + V D) / K) after K steps, where D is the distance
//                between the largest and the smallest throughput of a step. It follows from the
//                drift of Q^2 / 2, and vanishes as K grows.
//   throughput   optimum - mean N_k / T_k <= B / V. The optimum is that of the best random mixture
//                of fixed lengths that keeps the budget, measured by runs of static:1..gamma_0 in
//                the same setting. The theorem supposes that the controller knows the yield of
//                every length; it is told rho_0, so with other acceptance the gap can be larger.
#pragma once

#include <cstdint>
#include <string>

#include "gelato/base/result.h"
#include "gelato/base/units.h"
#include "gelato/sim/setting.h"

namespace gelato::sim {

struct TheoremCheck {
  Joules overshoot;        // per step; negative: the budget was not used up
  Joules overshoot_bound;  //
  double gap = 0.0;        // tokens per second; negative: better than any mixture
  double gap_bound = 0.0;  //

  [[nodiscard]] bool energy_holds() const { return overshoot <= overshoot_bound; }
  [[nodiscard]] bool throughput_holds() const { return gap <= gap_bound; }
};

// Whether `policy` is one that the theorem is about.
bool has_theorem(std::string_view policy);

// Runs the policy, and the static ones it is compared with.
// Errors: those of simulate(); kInvalidArgument if !has_theorem(policy).
Result<TheoremCheck> check_theorem(const Setting& setting, const std::string& policy,
                                   std::uint64_t seed);

}  // namespace gelato::sim
