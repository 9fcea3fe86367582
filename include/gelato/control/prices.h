// What tokens, seconds and joules are worth while a round is decided.
#pragma once

#include "gelato/base/units.h"

namespace gelato::control {

// Expectations of one round.
struct RoundForecast {
  double tokens = 1.0;  // committed
  Seconds time;
  Joules energy;  // of the device: drafting, sending, waiting
};

// In tokens. At most one of the credits is not zero, for a round is held to the strictest budget.
struct Prices {
  double per_second = 0.0;  // theta: what a second could earn elsewhere
  double per_joule = 0.0;   // lambda
  Joules credit_per_token;  // the budget, as far as it grows with tokens,
  Watts credit_per_second;  // with time,
  Joules credit_per_round;  // or not at all

  // N + lambda (a - E).
  [[nodiscard]] double value(const RoundForecast& round) const {
    const Joules allowed =
        round.tokens * credit_per_token + round.time * credit_per_second + credit_per_round;
    return round.tokens + per_joule * (allowed - round.energy).value();
  }
  // What one token is worth, with the allowance that it brings.
  [[nodiscard]] double token() const { return 1.0 + per_joule * credit_per_token.value(); }
  // What one second costs, less the allowance that it brings.
  [[nodiscard]] double second() const { return per_second - per_joule * credit_per_second.value(); }
};

}  // namespace gelato::control
