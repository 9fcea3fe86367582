#include "gelato/control/adaedl.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "gelato/control/round_estimate.h"

namespace gelato::control {
namespace {

// Smoothing of acceptance and of the threshold in Draft & Verify.
constexpr double kAcceptanceMemory = 0.5;
constexpr double kThresholdMemory = 0.9;

struct Settings {
  double threshold = 0.0;
  double scale = 0.0;
  double target = 0.0;
  double step = 0.0;
  std::uint32_t max_draft = 0;
};

class AdaEdlPolicy final : public Policy {
 public:
  AdaEdlPolicy(const Settings& settings, std::string name)
      : settings_(settings),
        name_(std::move(name)),
        threshold_(settings.threshold),
        acceptance_(settings.target) {}

  RoundPlan begin_round(const RoundContext& context) override {
    bound_in_force_ = std::min(settings_.max_draft, context.max_draft);
    return {.max_draft = settings_.max_draft};
  }

  [[nodiscard]] bool keep_drafting(const DraftState& state) override {
    return adaedl_bound(usable(state.last.entropy), settings_.scale) >= threshold_;
  }

  void end_round(const RoundOutcome& outcome) override {
    if (!outcome.answered || outcome.drafted == 0) {
      return;
    }
    const double rate = std::min(1.0, static_cast<double>(outcome.accepted) / outcome.drafted);
    acceptance_ = kAcceptanceMemory * acceptance_ + (1.0 - kAcceptanceMemory) * rate;
    const double wanted = threshold_ + wanted_change(outcome.drafted);
    threshold_ =
        std::clamp(kThresholdMemory * threshold_ + (1.0 - kThresholdMemory) * wanted, 0.0, 1.0);
  }

  [[nodiscard]] std::string name() const override { return name_; }

 private:
  // A draft that ran into its bound says nothing about the threshold, so it is not lowered then.
  [[nodiscard]] double wanted_change(std::uint32_t drafted) const {
    if (acceptance_ < settings_.target) {
      return settings_.step;
    }
    return drafted >= bound_in_force_ ? 0.0 : -settings_.step;
  }

  Settings settings_;
  std::string name_;
  double threshold_;  // lambda
  double acceptance_;
  std::uint32_t bound_in_force_ = 0;
};

}  // namespace

double adaedl_bound(double entropy, double scale) {
  return std::max(0.0, 1.0 - std::sqrt(scale * entropy));
}

std::unique_ptr<Policy> make_adaedl(std::span<const double> values) {
  const Settings settings{.threshold = values[0],
                          .scale = values[1],
                          .target = values[2],
                          .step = values[3],
                          .max_draft = static_cast<std::uint32_t>(values[4])};
  return std::make_unique<AdaEdlPolicy>(settings, policy_text(kAdaEdl, values));
}

}  // namespace gelato::control
