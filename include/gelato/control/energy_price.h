// A long-term energy budget turned into a price: what a joule is worth in tokens, so that spending
// settles at the budget. The derivation is in docs/modules/control.md.
#pragma once

#include "gelato/base/units.h"

namespace gelato::control {

// What may be spent on average; zero means no such limit. The strictest of several holds by turns,
// because a round's allowance is the least that any of them gives.
struct EnergyBudget {
  Joules per_token;
  Watts per_second;
  Joules per_round;

  [[nodiscard]] bool limited() const;
  // What a round of so many tokens and so long may spend. Infinite without a limit.
  [[nodiscard]] Joules allowance(double tokens, Seconds time) const;
};

// The price of energy, lambda = (theta / P)(e^x - 1) tokens per joule, with P the power that the
// budget allows and x the debt in units of V times the budget of one second (or of 48 rounds,
// where they are longer), plus a share that remembers what x was needed so far: Neely's
// place-holder backlog, so that the debt itself returns to zero. For small x this is Q / V.
class EnergyPrice {
 public:
  // v > 0, without unit: a large one lets debt run up before it slows anything.
  explicit EnergyPrice(double v) : v_(v) {}

  // A round spent `spent` and was allowed `allowed`.
  void spend(Joules spent, Joules allowed, Seconds time);
  // lambda, tokens per joule, at a throughput of theta tokens per second; 0 without debt.
  [[nodiscard]] double tokens_per_joule(double theta) const;
  // Joules overspent since the start and not made up for; negative: saved, as far as it counts.
  [[nodiscard]] Joules debt() const { return debt_; }

 private:
  [[nodiscard]] double level() const;
  [[nodiscard]] Joules unit() const;

  double v_;
  Joules debt_;
  double usual_ = 0.0;  // the place holder, in units
  // Recent allowance and time, with forgetting, and the rounds they are of.
  Joules allowed_;
  Seconds time_;
  double rounds_ = 0.0;
};

}  // namespace gelato::control
