// Plays generations against a policy with any numbers at all, and checks that its decisions are
// legal; shared by the property tests and the fuzzer.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>

#include "gelato/control/policy.h"

namespace gelato::control::testing {

// What is wrong with `plan`; empty if nothing is.
inline std::string illegal_plan(const RoundPlan& plan) {
  if (plan.max_draft > kMaxDraftLength) {
    return fmt::format("max_draft {} is above the limit", plan.max_draft);
  }
  if (!(plan.min_top1 >= 0.0F && plan.min_top1 <= 1.0F)) {
    return fmt::format("min_top1 {} is no probability", plan.min_top1);
  }
  if (plan.mode == RoundMode::kTargetOnly && (plan.max_draft > 0) != (plan.trial_at > 0)) {
    return "a round of the target alone asks for a draft, but for no trial";
  }
  if (plan.trial_at > 0 && plan.trial_at >= plan.burst) {
    return fmt::format("a trial after {} tokens of {}", plan.trial_at, plan.burst);
  }
  if (plan.burst == 0 || plan.burst > kMaxBurst) {
    return fmt::format("a burst of {} tokens", plan.burst);
  }
  return "";
}

// `number()` returns the next double of the caller's choosing: NaN, infinities, negatives and all.
template <class Number>
CostEstimate any_cost(Number& number) {
  CostEstimate c;
  c.draft_token = Seconds(number());
  c.draft_token_energy = Joules(number());
  c.round_trip = Seconds(number());
  c.uplink = BitsPerSecond(number());
  c.uplink_bits_per_token = Bits(number());
  c.uplink_bits_per_round = Bits(number());
  c.queue = Seconds(number());
  c.verify_base = Seconds(number());
  c.others = Seconds(number());
  c.verify_token = Seconds(number());
  c.devices = number();
  c.tx_power = Watts(number());
  c.wait_power = Watts(number());
  return c;
}

// A number of tokens from an arbitrary double, sometimes larger than anything legal.
inline std::uint32_t any_count(double x) {
  return std::isfinite(x) ? static_cast<std::uint32_t>(std::fmod(std::abs(x), 100.0)) : 0;
}

// Plays one round. Returns the first illegal decision, or "".
template <class Number>
std::string play_round(Policy& policy, std::uint64_t round, Number& number) {
  const RoundContext context{.round = round,
                             .context_tokens = any_count(number()),
                             .max_draft = any_count(number()),
                             .cost = any_cost(number)};
  const RoundPlan plan = policy.begin_round(context);
  if (std::string wrong = illegal_plan(plan); !wrong.empty()) {
    return wrong;
  }
  RoundOutcome outcome;
  const bool trial = plan.mode == RoundMode::kTargetOnly;
  const std::uint32_t bound = std::min(plan.max_draft, context.max_draft);
  while (outcome.drafted < bound) {
    ++outcome.drafted;
    DraftState state{.drafted = outcome.drafted, .max_draft = bound};
    state.last.top1_prob = static_cast<float>(number());
    state.last.margin = static_cast<float>(number());
    state.last.entropy = static_cast<float>(number());
    state.last.logit_gap = static_cast<float>(number());
    if (outcome.drafted < bound && !policy.keep_drafting(state)) {
      break;
    }
  }
  if (trial && outcome.drafted > 0) {
    (void)policy.end_trial(outcome.drafted, std::min(any_count(number()), outcome.drafted));
    outcome.drafted = 0;
  }
  outcome.answered = number() > 0.0;
  outcome.accepted = outcome.answered ? std::min(any_count(number()), outcome.drafted) : 0;
  outcome.committed = outcome.answered ? outcome.accepted + 1 : 0;
  outcome.elapsed = Seconds(number());
  outcome.drafting = Seconds(number());
  outcome.energy = Joules(number());
  policy.end_round(outcome);
  return "";
}

}  // namespace gelato::control::testing
