// The clairvoyant bound: a policy that knows, before each round, how many drafted tokens the target
// would accept, and spends time and joules at the best fixed prices. No online policy with as many
// drafts in flight can be expected to reach it: nobody can foresee a coin.
//
// A round is worth W = N - theta T - lambda (E - a), with N committed tokens, T seconds, E joules
// and the budget's allowance a. theta is the ratio that makes the sum of W zero (Dinkelbach, On
// Nonlinear Fractional Programming, 1967), lambda the smallest energy price at which the budget is
// kept (bisection). Rounds are priced one by one: that a longer round lets the next begin at
// another place of the text is left out, which is exact when acceptance is i.i.d. along the text.
// Runs at two prices are not mixed: where the plans jump as the price moves over the budget, the
// better of the two may still be bettered by taking turns, so with a budget it is no strict bound.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "gelato/base/result.h"
#include "gelato/control/policy.h"
#include "gelato/sim/setting.h"
#include "gelato/sim/simulation.h"

namespace gelato::sim {

// In a scenario's list of policies: `oracle`, and `oracle:1` for one draft in flight.
inline constexpr std::string_view kOracle = "oracle";
inline constexpr std::string_view kOracleOneInFlight = "oracle:1";
constexpr bool is_oracle(std::string_view policy) {
  return policy == kOracle || policy == kOracleOneInFlight;
}

struct Prices {
  double throughput = 0.0;  // theta, tokens per second
  double energy = 0.0;      // lambda, tokens per joule
};

// The policy at fixed prices. `foresight` is filled in by simulate() and outlives the policy.
std::unique_ptr<control::Policy> make_clairvoyant(const Prices& prices, const Budget& budget,
                                                  const Foresight& foresight);

// The best run of the clairvoyant policy that keeps the setting's budget; without a budget the
// fastest; if no price keeps it, the run with the fewest joules per token.
// Errors: those of simulate().
Result<RunResult> run_oracle(const Setting& setting, bool one_in_flight, std::uint64_t seed);

}  // namespace gelato::sim
