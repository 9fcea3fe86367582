#include "gelato/control/energy_price.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "gelato/control/round_estimate.h"

namespace gelato::control {
namespace {

// x never exceeds this: at e^5 a joule is worth 150 times what the budget's own power earns, and
// only the least joules per token matter.
constexpr double kLargestLevel = 5.0;
// What is saved beyond this many units is forgotten, so that a quiet hour does not pay for a wild
// one.
constexpr double kLargestSaving = 2.0;
// The place holder takes up 1 % of the level's excess in a round: five times slower than the debt
// itself acts, which keeps the two from swinging.
constexpr double kTakeUp = 0.01;
// Rounds over which the allowed power is averaged.
constexpr double kMemory = 1.0 - 1.0 / 30.0;
// A unit is at least the budget of so many rounds, or single rounds would swing the price.
constexpr double kRoundsInUnit = 48.0;

}  // namespace

bool EnergyBudget::limited() const {
  return per_token > Joules(0.0) || per_second > Watts(0.0) || per_round > Joules(0.0);
}

Joules EnergyBudget::allowance(double tokens, Seconds time) const {
  Joules least(std::numeric_limits<double>::infinity());
  if (per_token > Joules(0.0)) {
    least = std::min(least, tokens * per_token);
  }
  if (per_second > Watts(0.0)) {
    least = std::min(least, time * per_second);
  }
  if (per_round > Joules(0.0)) {
    least = std::min(least, per_round);
  }
  return least;
}

Joules EnergyPrice::unit() const {
  const double second = (allowed_ / std::max(time_, Seconds(1e-9))).value();
  const double rounds = kRoundsInUnit * allowed_.value() / std::max(rounds_, 1.0);
  return Joules(std::max({v_ * second, v_ * rounds, 1e-12}));
}

double EnergyPrice::level() const {
  return std::clamp(usual_ + debt_ / unit(), 0.0, kLargestLevel);
}

void EnergyPrice::spend(Joules spent, Joules allowed, Seconds time) {
  spent = usable(spent);
  allowed = usable(allowed);
  rounds_ = kMemory * rounds_ + 1.0;
  allowed_ = kMemory * allowed_ + allowed;
  time_ = kMemory * time_ + usable(time);
  debt_ += spent - allowed;
  debt_ = std::clamp(debt_, -kLargestSaving * unit(), kLargestLevel * unit());
  usual_ = std::clamp(usual_ + kTakeUp * std::clamp(debt_ / unit(), -1.0, 1.0), 0.0, kLargestLevel);
}

double EnergyPrice::tokens_per_joule(double theta) const {
  const Watts power = allowed_ / std::max(time_, Seconds(1e-9));
  return std::expm1(level()) * theta / std::max(power.value(), 1e-9);
}

}  // namespace gelato::control
