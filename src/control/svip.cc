#include "gelato/control/svip.h"

#include <cmath>
#include <string>
#include <utility>

#include "gelato/control/round_estimate.h"

namespace gelato::control {
namespace {

class SvipPolicy final : public Policy {
 public:
  SvipPolicy(double threshold, double scale, std::uint32_t max_draft, std::string name)
      : threshold_(threshold), scale_(scale), max_draft_(max_draft), name_(std::move(name)) {}

  RoundPlan begin_round(const RoundContext&) override { return {.max_draft = max_draft_}; }
  [[nodiscard]] bool keep_drafting(const DraftState& state) override {
    return !(std::sqrt(scale_ * usable(state.last.entropy)) > threshold_);
  }
  void end_round(const RoundOutcome&) override {}
  [[nodiscard]] std::string name() const override { return name_; }

 private:
  double threshold_;
  double scale_;
  std::uint32_t max_draft_;
  std::string name_;
};

}  // namespace

std::unique_ptr<Policy> make_svip(std::span<const double> values) {
  return std::make_unique<SvipPolicy>(values[0], values[1], static_cast<std::uint32_t>(values[2]),
                                      policy_text(kSvip, values));
}

}  // namespace gelato::control
