#include "gelato/observed_policy.h"

namespace gelato::cli {

RoundTotals& RoundTotals::operator+=(const RoundTotals& o) {
  rounds += o.rounds;
  tokens += o.tokens;
  drafted += o.drafted;
  accepted += o.accepted;
  passes += o.passes;
  elapsed += o.elapsed;
  energy += o.energy;
  return *this;
}

double RoundTotals::tokens_per_s() const { return static_cast<double>(tokens) / elapsed.value(); }

double RoundTotals::joules_per_token() const {
  return energy.value() / static_cast<double>(tokens);
}

double RoundTotals::per_round() const {
  return static_cast<double>(tokens) / static_cast<double>(rounds);
}

double RoundTotals::passes_per_token() const {
  return static_cast<double>(passes) / static_cast<double>(tokens);
}

control::RoundPlan ObservedPolicy::begin_round(const control::RoundContext& context) {
  const control::RoundPlan plan = inner_->begin_round(context);
  mode_ = plan.mode;
  return plan;
}

std::uint32_t ObservedPolicy::end_trial(std::uint32_t drafted, std::uint32_t accepted) {
  return inner_->end_trial(drafted, accepted);
}

void ObservedPolicy::end_round(const control::RoundOutcome& outcome) {
  inner_->end_round(outcome);
  ++totals_.rounds;
  totals_.tokens += outcome.committed;
  totals_.drafted += outcome.drafted;
  totals_.accepted += outcome.accepted;
  // A round loop counts its requests; in a burst every token has a pass of its own.
  totals_.passes += mode_ == control::RoundMode::kTargetOnly  ? outcome.committed
                    : mode_ == control::RoundMode::kDraftOnly ? 0
                                                              : outcome.passes;
  totals_.elapsed += outcome.elapsed;
  totals_.energy += outcome.energy;
}

}  // namespace gelato::cli
