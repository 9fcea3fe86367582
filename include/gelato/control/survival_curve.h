// How far a draft is likely to stand: P(its first d tokens are accepted), learned from verdicts.
#pragma once

#include <array>
#include <cstdint>

#include "gelato/control/policy.h"

namespace gelato::control {

// Acceptance is no single rate: what survives d tokens sits in an easy passage and is likelier to
// survive the next. So the rate is kept per depth; a depth that was seldom reached leans on the one
// before it. Old verdicts are forgotten. One thread; does not allocate.
class SurvivalCurve {
 public:
  SurvivalCurve();

  // P(the first d tokens of a draft are accepted), d <= kMaxDraftLength; survival(0) is 1.
  [[nodiscard]] double survival(std::uint32_t d) const { return survival_[d]; }
  // Expected tokens of a round with a draft of d tokens, the target's own token included.
  [[nodiscard]] double tokens(std::uint32_t d) const { return tokens_[d]; }
  // P(the token at depth d, from 0, is accepted | all before it are).
  [[nodiscard]] double acceptance(std::uint32_t d) const {
    return acceptance_[d < kMaxDraftLength ? d : kMaxDraftLength - 1];
  }

  // The first `accepted` of `drafted` tokens stood, and the next, if there was one, did not.
  void learn(std::uint32_t drafted, std::uint32_t accepted);

 private:
  void refresh();

  std::array<double, kMaxDraftLength> tested_{};
  std::array<double, kMaxDraftLength> stood_{};
  std::array<double, kMaxDraftLength> acceptance_{};
  std::array<double, kMaxDraftLength + 1> survival_{};
  std::array<double, kMaxDraftLength + 1> tokens_{};
};

}  // namespace gelato::control
