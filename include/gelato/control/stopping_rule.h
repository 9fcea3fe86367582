// When to end a draft: one-step look-ahead at the prices of time and energy. The same rule decides
// in a round and, on remembered drafts, in the forecasts that choose between ways.
#pragma once

#include <array>
#include <cstdint>

#include "gelato/base/units.h"
#include "gelato/control/policy.h"
#include "gelato/control/prices.h"

namespace gelato::control {

// How a pipeline is laid out, and its two times. chunk 0: no pipeline, one message a round.
struct Pipeline {
  std::uint32_t chunk = 0;   // tokens in a message
  std::uint32_t window = 0;  // tokens drafted and not verified
  Seconds first;             // from the start of a round to its first verdict
  Seconds step;              // from one verdict to the next
};

// The pipeline of these chunks in this window. A chunk takes the longest of: being drafted, being
// sent, being verified (the edge decides one chunk of a draft at a time), and its share of the
// loop when the window fills before the verdict comes.
// Preconditions: `cost` went through usable(); chunk >= 1, window >= chunk.
Pipeline lay_pipeline(const CostEstimate& cost, std::uint32_t chunk, std::uint32_t window);

// Probabilities are of the tokens drafted so far: that all that is not yet sent stands, and that
// all that is not yet verified does.
struct Standing {
  double unsent = 1.0;
  double unverified = 1.0;
  std::uint32_t unsent_tokens = 0;
};

class StoppingRule {
 public:
  StoppingRule() = default;
  // `acceptance`: mean probability that a token stands if all before it do.
  // Precondition: `cost` went through usable().
  StoppingRule(const CostEstimate& cost, const Prices& prices, const Pipeline& line,
               double acceptance);

  // Is another token worth its time and its joules, if it stands with probability `next`?
  // With one message a round: S b (1 + lambda e) > theta dT + lambda dE.
  [[nodiscard]] bool go_on(const Standing& standing, double next) const {
    return line_.chunk == 0 ? worth_one(standing.unsent, next) : worth_chunk(standing, next);
  }
  // Does only the price of energy speak against it?
  [[nodiscard]] bool too_dear(const Standing& standing, double next) const;

 private:
  [[nodiscard]] bool worth_one(double stands, double next) const {
    return stands * next * token_ > one_token_;
  }
  [[nodiscard]] bool worth_chunk(const Standing& standing, double next) const;

  Pipeline line_;
  double token_ = 1.0;       // what a token is worth, its allowance included
  double one_token_ = 0.0;   // what one more token costs in time and joules
  double one_time_ = 0.0;    // of it, time
  double draft_time_ = 0.0;  // a token's drafting, as time without energy
  double ahead_ = 0.0;       // being a step instead of a loop away from the next verdict
  double risk_ = 0.0;        // joules of a token drafted in vain
  double idle_ = 0.0;        // joules of waiting as long as a token takes
  // By tokens missing in a chunk: expected tokens that fill it, and P(they all stand).
  std::array<double, kMaxDraftLength + 1> fill_{};
  std::array<double, kMaxDraftLength + 1> filled_{};
};

}  // namespace gelato::control
