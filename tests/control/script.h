// Scripted rounds for the tests of single policies.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "gelato/base/rng.h"
#include "gelato/control/policy.h"
#include "gelato/control/round_estimate.h"

namespace gelato::control::testing {

inline std::unique_ptr<Policy> make(std::string_view text) { return make_policy(text).value(); }

// A link and two models at the speeds of the published setting of GELATO, where a network matters.
inline CostEstimate some_cost() {
  CostEstimate c;
  c.draft_token = milliseconds(15);
  c.draft_token_energy = Joules(0.18);
  c.round_trip = milliseconds(20);
  c.uplink = BitsPerSecond(1e6);
  c.uplink_bits_per_token = Bits(200);
  c.uplink_bits_per_round = Bits(400);
  c.verify_base = milliseconds(100);
  c.verify_token = milliseconds(1);
  c.tx_power = Watts(0.2);
  c.wait_power = Watts(1.0);
  return c;
}

inline RoundContext context(const CostEstimate& cost, std::uint32_t max_draft = kMaxDraftLength) {
  return {.round = 0, .context_tokens = 300, .max_draft = max_draft, .cost = cost};
}

// Drafts rows with these entropies until the policy stops, and returns how many tokens it took.
inline std::uint32_t draft_entropies(Policy& policy, std::span<const float> entropies,
                                     const CostEstimate& cost = some_cost()) {
  const RoundPlan plan = policy.begin_round(context(cost));
  const auto bound = std::min(plan.max_draft, static_cast<std::uint32_t>(entropies.size()));
  std::uint32_t drafted = 0;
  while (drafted < bound) {
    DraftState state{.drafted = drafted + 1, .max_draft = bound};
    state.last.entropy = entropies[drafted];
    ++drafted;
    if (drafted < bound && !policy.keep_drafting(state)) {
      break;
    }
  }
  return drafted;
}

// Reports a verdict on `drafted` tokens, in the time the cost model gives the round.
inline void end_round(Policy& policy, std::uint32_t drafted, std::uint32_t accepted,
                      const CostEstimate& cost = some_cost()) {
  RoundOutcome outcome;
  outcome.drafted = drafted;
  outcome.accepted = accepted;
  outcome.committed = accepted + 1;
  outcome.elapsed = round_time(cost, drafted);
  outcome.drafting = drafting_time(cost, drafted);
  outcome.energy = drafting_energy(cost, drafted);
  policy.end_round(outcome);
}

// How many of `drafted` tokens stand if each does with probability rho, independently.
inline std::uint32_t accepted_of(std::uint32_t drafted, double rho, Rng& rng) {
  std::uint32_t accepted = 0;
  while (accepted < drafted && rng.uniform() < rho) {
    ++accepted;
  }
  return accepted;
}

// One round of a policy that plans and never stops early, against i.i.d. acceptance. Returns the
// length it chose.
inline std::uint32_t play_geometric_round(Policy& policy, double rho, Rng& rng,
                                          const CostEstimate& cost,
                                          std::uint32_t max_draft = kMaxDraftLength) {
  const RoundPlan plan = policy.begin_round(context(cost, max_draft));
  const std::uint32_t drafted = std::min(plan.max_draft, max_draft);
  end_round(policy, drafted, accepted_of(drafted, rho, rng), cost);
  return drafted;
}

}  // namespace gelato::control::testing
