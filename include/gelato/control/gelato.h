// gelato — prices outside, one-step look-ahead inside. Before a round it chooses between letting
// the target write, one draft, and a pipeline of chunks, by priced tokens per second; within the
// round it drafts on while the next token, if it is likely to stand, is worth its time and joules.
// The problem, the prices and the stopping rule are derived in docs/modules/control.md.
//
// From others: the renewal-reward form of drift plus penalty (Neely, Stochastic Network
// Optimization, 2010, ch. 7), the energy queue of GELATO (arXiv 2605.10124, equation 7), the form
// of the stopping rule (SpecDec++, arXiv 2405.19715: stop when survival falls below a threshold).
// Ours: energy of waiting and receiving, budgets per token, second or round, the prices, the choice
// of ways, pipelining, and the predictor.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "gelato/control/acceptance_predictor.h"
#include "gelato/control/energy_price.h"
#include "gelato/control/policy.h"
#include "gelato/control/policy_kind.h"
#include "gelato/control/prices.h"
#include "gelato/control/round_forecast.h"
#include "gelato/control/round_planner.h"
#include "gelato/control/shared_edge.h"
#include "gelato/control/stopping_rule.h"
#include "gelato/control/survival_curve.h"
#include "gelato/control/why.h"

namespace gelato::control {

struct GelatoOptions {
  double v = 1.0;       // how much debt is run up before energy has a price, see EnergyPrice
  EnergyBudget budget;  // none by default
  // Percent of throughput given up for one percent fewer joules per token.
  double thrift = 0.01;
  std::uint32_t max_draft = kMaxDraftLength;
  std::uint32_t in_flight = 16;  // chunks; 1: never pipelines
  // For ablation: what each part is worth shows when it is off.
  bool predictor = true;  // off: every token counts with the mean acceptance of its depth
  bool modes = true;      // off: always drafts
  bool online = true;     // off: the predictor stays at its prior
};

class GelatoPolicy final : public Policy {
 public:
  GelatoPolicy(const GelatoOptions& options, std::string name);

  RoundPlan begin_round(const RoundContext& context) override;
  [[nodiscard]] bool keep_drafting(const DraftState& state) override;
  std::uint32_t end_trial(std::uint32_t drafted, std::uint32_t accepted) override;
  void end_round(const RoundOutcome& outcome) override;
  [[nodiscard]] std::string name() const override { return name_; }
  [[nodiscard]] const Why* why() const override { return &why_; }

 private:
  enum class Stop : std::uint8_t { kNone, kPrice, kBudget, kEntropy };

  [[nodiscard]] Prices prices() const;
  void check_budget(const RoundContext& context);
  [[nodiscard]] bool goes_alone(const RoundContext& context) const;
  RoundPlan explore(const RoundContext& context);
  RoundPlan write_alone(const RoundContext& context);
  [[nodiscard]] Standing standing(std::uint32_t drafted, std::uint32_t sent,
                                  std::uint32_t verified) const;
  [[nodiscard]] Joules modelled(const RoundOutcome& outcome) const;
  [[nodiscard]] double expected_tokens_of(std::uint32_t drafted) const;
  void learn(const RoundOutcome& outcome, Joules energy);
  [[nodiscard]] bool surprised(std::uint32_t drafted, std::uint32_t accepted);
  void learn_draft(std::uint32_t drafted, std::uint32_t accepted);
  void count_stop(const RoundOutcome& outcome);
  void trace(std::uint64_t round);

  // The draft of a round of which no cost is known yet.
  static constexpr std::uint32_t kFirstDraft = 4;

  GelatoOptions options_;
  std::string name_;
  AcceptancePredictor predictor_;
  SurvivalCurve curve_;
  RoundPlanner planner_;
  EnergyPrice energy_;
  Why why_;

  double throughput_ = 0.0;     // tokens per second, of the last plan
  double usual_ = kFirstDraft;  // mean length of the last drafts
  // Recent verdicts against their predictions, with forgetting.
  double unforeseen_ = 0.0;  // accepted tokens beyond the expected number
  double variance_ = 0.0;    // of that, if the predictions are right
  std::uint32_t lost_ = 0;   // rounds without an answer, in a row
  std::uint32_t alone_ = 0;  // rounds written alone, in a row

  // Of the round that is running.
  CostEstimate cost_;
  SharedEdge edge_;
  RoundChoice choice_;
  bool planned_ = false;  // else there were no costs to plan by
  Prices prices_;
  StoppingRule rule_;
  Stop stop_ = Stop::kNone;
  std::uint32_t bound_ = 0;
  std::uint32_t asked_ = 0;  // tokens of the draft that keep_drafting() was asked about
  std::uint32_t tried_ = 0;  // of trials that are over
  std::array<float, kMaxDraftLength> predicted_{};
  // [i]: P(the first i tokens drafted are accepted).
  std::array<double, kMaxDraftLength + 1> survival_{};
};

inline constexpr std::array kGelatoParameters{
    Parameter{.name = "v",
              .meaning = "debt before energy is dear, seconds of the budget",
              .fallback = 1.0,
              .max = 1e3,
              .above_min = true},
    Parameter{.name = "joules", .meaning = "budget per token, 0: none", .fallback = 0, .max = 1e6},
    Parameter{.name = "watts", .meaning = "budget per second, 0: none", .fallback = 0, .max = 1e6},
    Parameter{.name = "step", .meaning = "budget per round, J, 0: none", .fallback = 0, .max = 1e6},
    Parameter{.name = "thrift",
              .meaning = "% of tokens/s given up for 1 % fewer J/token",
              .fallback = 0.01,
              .max = 10},
    length_parameter(kMaxDraftLength),
    Parameter{.name = "flight",
              .meaning = "most chunks in flight, 1: no pipelining",
              .fallback = 16,
              .min = 1,
              .max = 16,
              .whole = true},
    Parameter{.name = "predictor",
              .meaning = "0: mean acceptance instead, for ablation",
              .fallback = 1,
              .whole = true},
    Parameter{.name = "modes", .meaning = "0: always drafts", .fallback = 1, .whole = true},
    Parameter{.name = "online",
              .meaning = "0: the predictor learns nothing",
              .fallback = 1,
              .whole = true},
};

std::unique_ptr<Policy> make_gelato(std::span<const double> values);

inline constexpr PolicyKind kGelato{
    .name = "gelato",
    .parameters = kGelatoParameters,
    .summary = "prices for time and energy choose the way, the length and the pipeline of a round",
    .create = make_gelato};

}  // namespace gelato::control
