// What tokens, seconds and joules are worth while a round is decided.
#pragma once

#include <algorithm>
#include <cmath>

#include "gelato/base/units.h"

namespace gelato::control {

// Expectations of one round.
struct RoundForecast {
  double tokens = 1.0;  // committed
  Seconds time;
  Joules energy;  // of the device: drafting, sending, waiting
};

// In tokens.
struct Prices {
  double per_second = 0.0;  // theta: what a second could earn elsewhere
  double per_joule = 0.0;   // lambda
  Joules credit_per_token;  // the budget, as far as it grows with tokens,
  Watts credit_per_second;  // with time,
  Joules credit_per_round;  // or not at all
  // How many percent of throughput are given up for one percent fewer joules per token.
  double thrift = 0.0;

  // N + lambda (a - E).
  [[nodiscard]] double value(const RoundForecast& round) const {
    const Joules allowed =
        round.tokens * credit_per_token + round.time * credit_per_second + credit_per_round;
    return round.tokens + per_joule * (allowed - round.energy).value();
  }
  // What ways of doing a round are compared by: value per second, times (tokens / joules)^thrift.
  [[nodiscard]] double merit(const RoundForecast& round) const {
    const double rate = value(round) / round.time.value();
    const double joules = std::max(round.energy.value(), 1e-9);
    return thrift > 0.0 ? rate * std::pow(round.tokens / joules, thrift) : rate;
  }
  // Thrift as prices for small changes of `round`: d ln(tokens/s) = -thrift d ln(J/token) makes a
  // joule worth thrift N / E tokens, with a credit of E / N joules for each token.
  [[nodiscard]] Prices around(const RoundForecast& round) const;
  // What one token is worth, with the allowance that it brings.
  [[nodiscard]] double token() const { return 1.0 + per_joule * credit_per_token.value(); }
  // What one second costs, less the allowance that it brings.
  [[nodiscard]] double second() const { return per_second - per_joule * credit_per_second.value(); }
};

inline Prices Prices::around(const RoundForecast& round) const {
  if (!(thrift > 0.0) || !(round.energy > Joules(0.0))) {
    return *this;
  }
  const Joules per_token = round.energy / round.tokens;
  Prices prices = *this;
  prices.per_joule += thrift / per_token.value();
  const double budget = per_joule / prices.per_joule;  // its share in the price
  prices.credit_per_token = budget * credit_per_token + (1.0 - budget) * per_token;
  prices.credit_per_second = budget * credit_per_second;
  prices.credit_per_round = budget * credit_per_round;
  return prices;
}

}  // namespace gelato::control
