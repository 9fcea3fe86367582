// What a round is expected to bring and to cost in each of the ways it can be done: the target
// writes, one draft and its verdict, or a pipeline. Drafts are played through on drafts remembered
// from recent rounds, so that what the stopping rule makes of easy and hard passages is in the
// forecast.
//
// Every CostEstimate went through usable(). Total and finite.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "gelato/control/policy.h"
#include "gelato/control/prices.h"
#include "gelato/control/stopping_rule.h"
#include "gelato/control/survival_curve.h"

namespace gelato::control {

// The predicted acceptance of every token of the last drafts. One thread; does not allocate.
class DraftMemory {
 public:
  static constexpr std::size_t kDrafts = 32;  // the last 32 rounds: a change shows within 30
  static constexpr std::size_t kTokens = 32;  // what lies deeper is rarely reached

  // Predictions for the tokens of one draft, in order.
  void add(std::span<const float> draft);
  // Forgets all but the last `n`.
  void keep(std::size_t n) { size_ = n < size_ ? n : size_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  // The i-th, oldest first.
  [[nodiscard]] std::span<const float> draft(std::size_t i) const {
    const std::size_t at = (next_ + kDrafts - size_ + i) % kDrafts;
    return {tokens_[at].data(), length_[at]};
  }

 private:
  std::array<std::array<float, kTokens>, kDrafts> tokens_{};
  std::array<std::uint8_t, kDrafts> length_{};
  std::size_t size_ = 0;
  std::size_t next_ = 0;
};

// The target writes `count` tokens in one answer.
RoundForecast forecast_burst(const CostEstimate& cost, std::uint32_t count);

// A round that drafts through `line` (chunk 0: one message) while `rule` says so, at most `longest`
// tokens, if they are accepted with the probabilities `draft`, and beyond those with the mean
// acceptance of `curve`.
RoundForecast forecast_draft(const CostEstimate& cost, std::span<const float> draft,
                             const SurvivalCurve& curve, const Pipeline& line,
                             const StoppingRule& rule, std::uint32_t longest);

// Time of a round that drafted `drafted` tokens through `line`, once it is known that `accepted` of
// them stood and whether the draft was ended before a verdict did.
Seconds round_time(const CostEstimate& cost, const Pipeline& line, std::uint32_t drafted,
                   std::uint32_t accepted, bool stopped);

}  // namespace gelato::control
