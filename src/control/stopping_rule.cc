#include "gelato/control/stopping_rule.h"

#include <algorithm>

#include "gelato/control/round_estimate.h"

namespace gelato::control {

Pipeline lay_pipeline(const CostEstimate& cost, std::uint32_t chunk, std::uint32_t window) {
  constexpr Seconds kShortest(1e-6);
  const Seconds drafting = drafting_time(cost, chunk);
  const Seconds sending = uplink_time(cost, chunk);
  const Seconds verifying = cost.queue + verify_time(cost, chunk);
  const Seconds first = std::max(drafting + sending + cost.round_trip + verifying, kShortest);
  // Of a window of m chunks and r tokens, the r tokens of the next chunk are there already when the
  // verdict opens the window again.
  const std::uint32_t whole = window / chunk;
  const Seconds loop = (first - drafting_time(cost, window % chunk)) / whole;
  return {.chunk = chunk,
          .window = window,
          .first = first,
          .step = std::max({drafting, sending, verifying, loop, kShortest})};
}

StoppingRule::StoppingRule(const CostEstimate& cost, const Prices& prices, const Pipeline& line,
                           double acceptance)
    : line_(line), token_(prices.token()) {
  const Seconds sending = uplink_time(cost, 1) - uplink_time(cost, 0);
  const double second = std::max(prices.second(), 0.0);
  one_time_ = second * (cost.draft_token + sending + cost.verify_token).value();
  one_token_ = one_time_ + prices.per_joule * (cost.draft_token_energy + cost.tx_power * sending +
                                               cost.wait_power * cost.verify_token)
                                                  .value();
  draft_time_ = second * cost.draft_token.value();
  ahead_ = second * std::max(line.first - line.step, Seconds()).value();
  risk_ = prices.per_joule * cost.draft_token_energy.value();
  idle_ = prices.per_joule * (cost.wait_power * cost.draft_token).value();
  filled_[0] = 1.0;
  for (std::uint32_t n = 1; n <= std::min(line.chunk, kMaxDraftLength); ++n) {
    filled_[n] = filled_[n - 1] * acceptance;
    fill_[n] = fill_[n - 1] + filled_[n];
  }
}

// Stopping sends what is not sent yet with a bonus, and the next round pays for a whole loop;
// filling the chunk brings its tokens, and the verdict after it comes one step later. A token that
// is drafted ahead is lost unless all before it stands; if it is not lost, it saves a wait.
bool StoppingRule::worth_chunk(const Standing& standing, double next) const {
  const double all = standing.unverified;
  if ((1.0 - all) * risk_ - idle_ > all * draft_time_) {
    return false;
  }
  const std::uint32_t unsent = std::min(standing.unsent_tokens, line_.chunk);
  const std::uint32_t left = std::min(line_.chunk - unsent, kMaxDraftLength);
  const double gain = standing.unsent * (token_ * (fill_[left] - 1.0) + filled_[left] * ahead_);
  return gain > left * draft_time_ || (left > 0 && worth_one(standing.unsent, next));
}

bool StoppingRule::too_dear(const Standing& standing, double next) const {
  if (line_.chunk == 0) {
    return standing.unsent * next > one_time_;
  }
  const double all = standing.unverified;
  return (1.0 - all) * risk_ - idle_ > all * draft_time_;
}

}  // namespace gelato::control
