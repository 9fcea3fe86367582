#include "gelato/control/ucb.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "gelato/control/round_estimate.h"

namespace gelato::control {
namespace {

// What is known of one draft length.
struct Arm {
  double plays = 0.0;   // T_k
  double tokens = 0.0;  // S_A
  Seconds time;         // S_N, less the delays expected when they were played
};

class UcbPolicy final : public Policy {
 public:
  UcbPolicy(std::uint32_t max_draft, Seconds beta, std::string name)
      : max_draft_(max_draft), beta_(beta), name_(std::move(name)) {}

  RoundPlan begin_round(const RoundContext& context) override {
    const CostEstimate cost = usable(context.cost);
    delay_ = cost.round_trip + uplink_time(cost, 0);
    const std::uint32_t longest = std::min(max_draft_, context.max_draft);
    return {.max_draft = longest == 0 ? 0 : choose(longest)};
  }

  [[nodiscard]] bool keep_drafting(const DraftState&) override { return true; }

  void end_round(const RoundOutcome& outcome) override {
    if (!outcome.answered || outcome.drafted == 0 || outcome.drafted > kMaxDraftLength) {
      return;
    }
    Arm& arm = arms_[outcome.drafted - 1];
    arm.plays += 1.0;
    arm.tokens += std::min(outcome.accepted, outcome.drafted) + 1.0;
    arm.time += usable(outcome.elapsed) - delay_;
    plays_ += 1.0;
  }

  [[nodiscard]] std::string name() const override { return name_; }

 private:
  [[nodiscard]] std::uint32_t choose(std::uint32_t longest) const {
    const auto first = arms_.begin();
    const auto unplayed =
        std::find_if(first, first + longest, [](const Arm& arm) { return arm.plays == 0.0; });
    if (unplayed != first + longest) {
      return static_cast<std::uint32_t>(unplayed - first) + 1;
    }
    const double log_t = std::log(plays_);
    return best_length(1, longest, [&](std::uint32_t k) { return -index(arms_[k - 1], log_t); });
  }

  [[nodiscard]] double index(const Arm& arm, double log_t) const {
    const Seconds time = arm.time + arm.plays * delay_;
    return (time - beta_ * std::sqrt(arm.plays * log_t)).value() / arm.tokens;
  }

  std::uint32_t max_draft_;
  Seconds beta_;
  std::string name_;
  std::array<Arm, kMaxDraftLength> arms_{};
  double plays_ = 0.0;  // t
  Seconds delay_;       // expected for the round being played
};

}  // namespace

std::unique_ptr<Policy> make_ucb(std::span<const double> values) {
  return std::make_unique<UcbPolicy>(static_cast<std::uint32_t>(values[0]), milliseconds(values[1]),
                                     policy_text(kUcb, values));
}

}  // namespace gelato::control
