#include "gelato/control/goodput.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "gelato/control/round_estimate.h"

namespace gelato::control {
namespace {

// What is believed before any verdict, and again when all have been forgotten. Its weight sets how
// often a policy that chose k = 0 tries k = 1: with 2 tokens, a window of 100 rounds and a length
// that pays from 20 % acceptance on, in 5 % of the rounds. Ours.
constexpr double kPriorRate = 0.7;
constexpr double kPriorTokens = 2.0;

class GoodputPolicy final : public Policy {
 public:
  GoodputPolicy(std::uint32_t max_draft, double window, std::string name)
      : max_draft_(max_draft), memory_(std::exp(-1.0 / window)), name_(std::move(name)) {}

  RoundPlan begin_round(const RoundContext& context) override {
    const CostEstimate cost = usable(context.cost);
    const double rate = (kPriorRate * kPriorTokens + accepted_) / (kPriorTokens + tested_);
    const auto goodput = [&](std::uint32_t k) {
      return tokens_per_second(expected_tokens(rate, k), round_time(cost, k));
    };
    return {.max_draft = best_length(0, std::min(max_draft_, context.max_draft), goodput)};
  }

  [[nodiscard]] bool keep_drafting(const DraftState&) override { return true; }

  void end_round(const RoundOutcome& outcome) override {
    if (!outcome.answered) {
      return;
    }
    const std::uint32_t accepted = std::min(outcome.accepted, outcome.drafted);
    const std::uint32_t tested = std::min(accepted + 1, outcome.drafted);
    accepted_ = memory_ * accepted_ + accepted;
    tested_ = memory_ * tested_ + tested;
  }

  [[nodiscard]] std::string name() const override { return name_; }

 private:
  std::uint32_t max_draft_;
  double memory_;
  std::string name_;
  double accepted_ = 0.0;  // tokens, with forgetting
  double tested_ = 0.0;
};

}  // namespace

std::unique_ptr<Policy> make_goodput(std::span<const double> values) {
  return std::make_unique<GoodputPolicy>(static_cast<std::uint32_t>(values[0]), values[1],
                                         policy_text(kGoodput, values));
}

}  // namespace gelato::control
