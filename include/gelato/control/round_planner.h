// Which way to do the next round: lets the target write, sends one draft, or pipelines, with the
// lengths that promise the most priced tokens per second. The heart of policy `gelato`; derivation
// in docs/modules/control.md.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "gelato/control/energy_price.h"
#include "gelato/control/policy.h"
#include "gelato/control/prices.h"
#include "gelato/control/round_forecast.h"
#include "gelato/control/shared_edge.h"
#include "gelato/control/stopping_rule.h"
#include "gelato/control/survival_curve.h"
#include "gelato/control/why.h"

namespace gelato::control {

// A decided round.
struct RoundChoice {
  Way way = Way::kDraft;
  std::uint32_t length = 0;    // tokens drafted at most, or asked of the target
  std::uint32_t trial_at = 0;  // RoundPlan::trial_at; 0: no trial
  Pipeline line;               // chunk 0 unless Way::kPipeline
  RoundForecast round;
  double rate = 0.0;   // priced tokens per second
  double merit = 0.0;  // Prices::merit(), what ways are compared by
  double doubt = 0.0;  // standard error of the rate, relative
};

// What may be planned.
struct PlanLimits {
  std::uint32_t max_draft = kMaxDraftLength;  // >= 1
  std::uint32_t in_flight = 1;                // chunks
  bool modes = true;                          // false: always a draft, pipelined or not
  friend bool operator==(const PlanLimits&, const PlanLimits&) = default;
};

// Rounds of one way, played on drafts as they came: sums with forgetting, a slow one that is
// believed, and a fast one that overrules it when the two differ by more than chance.
class WayLedger {
 public:
  void clear() { *this = {}; }
  void add(const RoundForecast& round, const Prices& prices);
  // Time goes by without news.
  void age();
  [[nodiscard]] bool empty() const { return slow_.rounds == 0.0; }
  // How many the mean is of; old ones count less.
  [[nodiscard]] double rounds() const { return slow_.rounds; }
  // Mean of a round, and the relative standard error of its worth per second.
  [[nodiscard]] RoundForecast mean() const;
  [[nodiscard]] double doubt() const;

 private:
  struct Tally {
    double rounds = 0.0;
    RoundForecast sum{.tokens = 0.0, .time = {}, .energy = {}};
    double square = 0.0;  // of what a round was worth beyond the price of its time
    void add(const RoundForecast& round, double beyond, double memory);
  };
  Tally slow_;
  Tally fast_;
};

// One per policy, one thread. Does not allocate.
class RoundPlanner {
 public:
  // The best round at these costs and prices. Leaving the present way needs a margin.
  // Precondition: of a cost that went through usable().
  const RoundChoice& choose(const SharedEdge& edge, const SurvivalCurve& curve,
                            const PlanLimits& limits, const Prices& prices);

  // A round drafted tokens that were predicted to be accepted so.
  void observe(std::span<const float> draft, const SurvivalCurve& curve);
  // Forgets all drafts, and how lucky they were: they are not what comes next.
  void forget_drafts(const SurvivalCurve& curve);
  // A round of this way was forecast so, knowing its verdict, and turned out so.
  void learn(Way way, const RoundForecast& forecast, const RoundForecast& turned_out);

  // The burst that was chosen brought so many tokens.
  void wrote(std::uint32_t tokens);
  // Beside it so many tokens were drafted, and the target's own were the same as far as `accepted`,
  // where a draft was expected to bring `expected` tokens. Returns Policy::end_trial().
  std::uint32_t tried(std::uint32_t drafted, double expected, std::uint32_t accepted);

  // The least joules per token that any way is expected to need.
  [[nodiscard]] Joules least_per_token() const;
  // Of what the strictest part of `budget` allows, the share that its thriftiest way needs; what is
  // not well known is hoped to need less. 0 without a budget.
  [[nodiscard]] double demand(const EnergyBudget& budget) const;

 private:
  // Forecasts of one quantity and what came of them, sums with forgetting.
  struct Experience {
    double rounds = 0.0;
    double forecast = 0.0;
    double turned_out = 0.0;
    void add(double expected, double got, double memory);
    // By what a forecast is to be corrected.
    [[nodiscard]] double factor(double prior_rounds) const;
  };

  [[nodiscard]] bool changed(const CostEstimate& cost, const PlanLimits& limits) const;
  void replay(Way way, const SurvivalCurve& curve);
  void lay(const SurvivalCurve& curve);
  [[nodiscard]] Pipeline best_line(const SurvivalCurve& curve) const;
  void start_anew(const SurvivalCurve& curve);
  void weigh(Way way);
  void weigh_burst(std::uint32_t count);
  void weigh_all();
  void rule_out(Way way);
  [[nodiscard]] RoundForecast corrected(Way way, const RoundForecast& raw) const;
  [[nodiscard]] bool hopeless() const;
  [[nodiscard]] std::uint32_t longest_burst() const;
  [[nodiscard]] double try_energy() const;
  void put_off(Joules energy);
  void put_off_round(const RoundChoice& draft);
  Way settle();
  [[nodiscard]] RoundChoice& of(Way way) { return choices_[static_cast<std::size_t>(way)]; }
  [[nodiscard]] WayLedger& ledger(Way way) { return ledgers_[static_cast<std::size_t>(way)]; }
  [[nodiscard]] StoppingRule rule(Way way, const Pipeline& line, const SurvivalCurve& curve) const;

  DraftMemory memory_;
  std::array<Experience, kWays> time_{};
  std::array<Experience, kWays> energy_{};
  Experience accepted_;  // tokens of rounds with a draft
  std::array<WayLedger, kWays> ledgers_{};
  std::array<RoundChoice, kWays> choices_{};
  // What the ledgers were written for.
  CostEstimate cost_;        // of drafts
  CostEstimate burst_cost_;  // what it imposes on others included
  PlanLimits limits_;
  Prices prices_;
  Way way_ = Way::kDraft;
  std::uint32_t rounds_ = 0;    // all
  std::uint32_t observed_ = 0;  // drafts
  // While the target writes:
  double wait_ = 0.0;        // tokens between tries of drafts, about
  double next_ = 0.0;        // tokens until the next one,
  double written_ = 0.0;     // of which so many are there
  std::uint32_t tries_ = 0;  // all
  double unsent_ = 0.0;      // tokens since a draft was sent,
  double send_after_ = 0.0;  // and until one may be
  std::uint32_t place_ = 0;  // of the next trial in this burst, 0: none
  std::uint32_t known_ = 0;  // tokens of this burst up to its last trial
  Joules least_burst_;       // of a round
};

}  // namespace gelato::control
