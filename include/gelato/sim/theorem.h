// The two bounds of GELATO's Theorem 1 (arXiv 2605.10124), checked on a run of `gelato-paper`.
//
// With budget E per step, weight V, and B = max_k (E_k - E)^2 / 2 over the run's steps:
//   energy       mean E_k - E <= sqrt(2 (B + V D) / K) after K steps, where D is the distance
//                between the largest and the smallest throughput of a step. It follows from the
//                drift of Q^2 / 2, and vanishes as K grows. It supposes that some length keeps E.
//   throughput   optimum - mean N_k / T_k <= B / V. The optimum is that of the best random mixture
//                of fixed lengths that keeps the budget, measured by runs of static:1..gamma_0 in
//                the same setting.
// The second one's premise is that a step with the planned length yields the tokens of equation 6
// at rho_0. It fails where acceptance is another, and where the entropy bucket (equations 12, 13)
// cuts drafts short; then the controller maximises something else, and no bound in V can hold.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>

#include "gelato/base/result.h"
#include "gelato/base/units.h"
#include "gelato/sim/setting.h"

namespace gelato::sim {

struct TheoremCheck {
  Joules overshoot;              // per step; negative: the budget was not used up
  Joules overshoot_bound;        //
  double gap = 0.0;              // tokens per second; negative: better than any mixture
  double gap_bound = 0.0;        //
  double gap_noise = 0.0;        // four standard errors of the gap
  double shortfall = 0.0;        // tokens per step less than equation 6 says
  double shortfall_noise = 0.0;  // four standard errors of it

  [[nodiscard]] bool energy_holds() const { return overshoot <= overshoot_bound; }
  [[nodiscard]] bool premise_holds() const { return std::abs(shortfall) <= shortfall_noise; }
  // A gap that may be chance does not refute it.
  [[nodiscard]] bool throughput_holds() const { return gap <= gap_bound + gap_noise; }
};

// Whether `policy` is one that the theorem is about.
bool has_theorem(std::string_view policy);

// Runs the policy, and the static ones it is compared with.
// Errors: those of simulate(); kInvalidArgument if !has_theorem(policy).
Result<TheoremCheck> check_theorem(const Setting& setting, const std::string& policy,
                                   std::uint64_t seed);

}  // namespace gelato::sim
