// A policy whose rounds are added up: what a live run spent on them, in the units in which a
// simulated one counts.
#pragma once

#include <cstdint>
#include <string>

#include "gelato/control/policy.h"

namespace gelato::cli {

// Sums over rounds. Reading the prompt lies before the first one.
struct RoundTotals {
  std::uint64_t rounds = 0;
  std::uint64_t tokens = 0;  // committed
  std::uint64_t drafted = 0;
  std::uint64_t accepted = 0;
  std::uint64_t passes = 0;  // of the target
  Seconds elapsed;
  Joules energy;

  RoundTotals& operator+=(const RoundTotals& o);
  [[nodiscard]] double tokens_per_s() const;
  [[nodiscard]] double joules_per_token() const;
  [[nodiscard]] double per_round() const;  // committed
  [[nodiscard]] double passes_per_token() const;
};

// Decides as `inner`, which must outlive this, does.
class ObservedPolicy final : public control::Policy {
 public:
  explicit ObservedPolicy(control::Policy& inner) : inner_(&inner) {}

  control::RoundPlan begin_round(const control::RoundContext& context) override;
  [[nodiscard]] bool keep_drafting(const control::DraftState& state) override {
    return inner_->keep_drafting(state);
  }
  std::uint32_t end_trial(std::uint32_t drafted, std::uint32_t accepted) override;
  void end_round(const control::RoundOutcome& outcome) override;
  [[nodiscard]] std::string name() const override { return inner_->name(); }
  [[nodiscard]] const control::Why* why() const override { return inner_->why(); }

  [[nodiscard]] const RoundTotals& totals() const { return totals_; }

 private:
  control::Policy* inner_;
  control::RoundMode mode_ = control::RoundMode::kSpeculate;
  RoundTotals totals_;
};

}  // namespace gelato::cli
