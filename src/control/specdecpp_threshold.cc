#include "gelato/control/specdecpp_threshold.h"

#include <string>
#include <utility>

#include "gelato/control/acceptance_predictor.h"

namespace gelato::control {
namespace {

class SpecDecPpPolicy final : public Policy {
 public:
  SpecDecPpPolicy(double threshold, std::uint32_t least, std::uint32_t max_draft, std::string name)
      : threshold_(threshold), least_(least), max_draft_(max_draft), name_(std::move(name)) {}

  RoundPlan begin_round(const RoundContext&) override {
    predictor_.begin_round();
    all_accepted_ = 1.0;
    return {.max_draft = max_draft_};
  }

  [[nodiscard]] bool keep_drafting(const DraftState& state) override {
    all_accepted_ *= predictor_.predict(state.last, state.drafted - 1);
    return state.drafted < least_ || !(1.0 - all_accepted_ > threshold_);
  }

  void end_round(const RoundOutcome& outcome) override {
    if (outcome.answered) {
      predictor_.learn(outcome.drafted, outcome.accepted);
    }
  }

  [[nodiscard]] std::string name() const override { return name_; }

 private:
  double threshold_;
  std::uint32_t least_;
  std::uint32_t max_draft_;
  std::string name_;
  AcceptancePredictor predictor_;
  double all_accepted_ = 1.0;
};

}  // namespace

std::unique_ptr<Policy> make_specdecpp_threshold(std::span<const double> values) {
  return std::make_unique<SpecDecPpPolicy>(values[0], static_cast<std::uint32_t>(values[1]),
                                           static_cast<std::uint32_t>(values[2]),
                                           policy_text(kSpecDecPpThreshold, values));
}

}  // namespace gelato::control
