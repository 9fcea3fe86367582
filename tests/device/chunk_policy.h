// Rounds in chunks of every shape, while time goes by: what a policy may plan, by chance.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "gelato/base/clock.h"
#include "gelato/base/rng.h"
#include "gelato/control/policy.h"

namespace gelato::device {

class ChunkPolicy final : public control::Policy {
 public:
  // A drafted token takes up to `slowest`, so that verdicts come at any moment of a draft.
  ChunkPolicy(VirtualClock& clock, std::uint64_t seed, Seconds slowest = Seconds(0.006))
      : clock_(clock), rng_(seed, "chunks"), slowest_(slowest) {}

  control::RoundPlan begin_round(const control::RoundContext& context) override {
    max_in_flight = context.max_in_flight;
    control::RoundPlan plan;
    plan.max_draft = static_cast<std::uint32_t>(rng_.below(24));
    plan.chunk = static_cast<std::uint32_t>(rng_.below(5));  // 0: one message
    plan.window = plan.chunk + static_cast<std::uint32_t>(rng_.below(12));
    stop_ = rng_.uniform() < 0.5 ? 0.0 : 0.1;
    return plan;
  }
  bool keep_drafting(const control::DraftState& state) override {
    consistent = consistent && state.verified + state.in_flight < state.drafted &&
                 state.drafted < state.max_draft;
    clock_.advance(rng_.uniform() * slowest_);
    return rng_.uniform() >= stop_;
  }
  void end_round(const control::RoundOutcome& outcome) override {
    consistent = consistent && outcome.accepted <= outcome.drafted;
    committed += outcome.committed;
    wasted += outcome.drafted - outcome.accepted;
    passes += outcome.passes;
  }
  [[nodiscard]] std::string name() const override { return "chunks"; }

  std::uint32_t max_in_flight = 0;
  std::uint64_t committed = 0;
  std::uint64_t wasted = 0;
  std::uint64_t passes = 0;
  bool consistent = true;

 private:
  VirtualClock& clock_;
  Rng rng_;
  Seconds slowest_;
  double stop_ = 0.0;
};

}  // namespace gelato::device
