#include "gelato/control/gelato_paper.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "gelato/control/round_estimate.h"
#include "gelato/control/virtual_queue.h"

namespace gelato::control {

namespace paper {

double utility(double v, double tokens, Seconds time, Joules queue, Joules energy) {
  return v * tokens_per_second(tokens, time) - queue.value() * energy.value();
}

double acceptance_from_entropy(double entropy, double decay) { return std::exp(-decay * entropy); }

double entropy_threshold(double rho0, double decay) { return -std::log(rho0) / decay; }

double fill_bucket(double theta, double entropy, double threshold) {
  return std::max(0.0, theta + entropy - threshold);
}

}  // namespace paper

namespace {

struct Settings {
  double v = 0.0;
  Joules budget;
  double rho0 = 0.0;
  double entropy_threshold = 0.0;  // H_th
  double bucket = 0.0;             // Theta_th
  std::uint32_t max_draft = 0;     // gamma_0
};

// Time and energy of one step as a function of gamma, from what is known of the costs.
class StepModel {
 public:
  StepModel(const CostEstimate& cost, double context) : cost_(usable(cost)), context_(context) {}

  [[nodiscard]] Seconds time(std::uint32_t gamma) const {  // (4)
    return paper::step_time(drafting(gamma), uplink_time(cost_, gamma), target(gamma));
  }
  [[nodiscard]] Joules energy(std::uint32_t gamma) const {  // (3)
    return paper::step_energy(drafting_joules(gamma),
                              paper::uplink_energy(cost_.tx_power, uplink_time(cost_, gamma)));
  }

 private:
  [[nodiscard]] bool measured() const { return cost_.draft_token > Seconds(0.0); }

  [[nodiscard]] Seconds drafting(std::uint32_t gamma) const {
    return measured() ? drafting_time(cost_, gamma)
                      : paper::drafting_time(paper::kDraftModel, paper::kDevice, gamma, context_);
  }
  [[nodiscard]] Joules drafting_joules(std::uint32_t gamma) const {
    return measured() ? drafting_energy(cost_, gamma)
                      : paper::drafting_energy(paper::kDraftModel, paper::kDevice, gamma, context_);
  }
  [[nodiscard]] Seconds target(std::uint32_t gamma) const {
    return cost_.verify_base > Seconds(0.0) ? away_time(cost_) + verify_time(cost_, gamma)
                                            : paper::kTargetTime;
  }

  CostEstimate cost_;
  double context_;
};

class GelatoPaperPolicy final : public Policy {
 public:
  GelatoPaperPolicy(const Settings& settings, std::string name)
      : settings_(settings), name_(std::move(name)) {}

  RoundPlan begin_round(const RoundContext& context) override {
    bucket_ = 0.0;
    const std::uint32_t longest = std::min(settings_.max_draft, context.max_draft);
    if (longest == 0) {
      return {};
    }
    const StepModel step(context.cost, context.context_tokens);
    const auto score = [&](std::uint32_t gamma) {
      return paper::utility(settings_.v, expected_tokens(settings_.rho0, gamma), step.time(gamma),
                            queue_.level(), step.energy(gamma));
    };
    return {.max_draft = best_length(1, longest, score)};  // (8)
  }

  [[nodiscard]] bool keep_drafting(const DraftState& state) override {
    bucket_ = paper::fill_bucket(bucket_, usable(state.last.entropy), settings_.entropy_threshold);
    return !(bucket_ > settings_.bucket);  // (13)
  }

  void end_round(const RoundOutcome& outcome) override {
    queue_.step(outcome.energy, settings_.budget);  // (7)
  }

  [[nodiscard]] std::string name() const override { return name_; }

 private:
  Settings settings_;
  std::string name_;
  VirtualQueue queue_;
  double bucket_ = 0.0;  // Theta
};

}  // namespace

std::unique_ptr<Policy> make_gelato_paper(std::span<const double> values) {
  const double threshold = paper::entropy_threshold(values[2], values[3]);
  const Settings settings{.v = values[0],
                          .budget = Joules(values[1]),
                          .rho0 = values[2],
                          .entropy_threshold = threshold,
                          .bucket = values[4] * threshold,
                          .max_draft = static_cast<std::uint32_t>(values[5])};
  return std::make_unique<GelatoPaperPolicy>(settings, policy_text(kGelatoPaper, values));
}

}  // namespace gelato::control
