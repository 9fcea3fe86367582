#include "gelato/control/survival_curve.h"

#include <algorithm>

namespace gelato::control {
namespace {

// A verdict 60 rounds ago counts 1/e: a change of subject is followed within 30 rounds, and 60
// rounds of some five tested tokens give the rate of acceptance to about two percentage points.
constexpr double kMemory = 1.0 - 1.0 / 60.0;
// Believed before any verdict: 0.7, as strongly as 4 tokens would make us.
constexpr double kPriorRate = 0.7;
constexpr double kPriorTokens = 4.0;
// How strongly a depth leans on the one before it, in tokens tested there.
constexpr double kLean = 12.0;

}  // namespace

SurvivalCurve::SurvivalCurve() { refresh(); }

void SurvivalCurve::learn(std::uint32_t drafted, std::uint32_t accepted) {
  drafted = std::min(drafted, kMaxDraftLength);
  accepted = std::min(accepted, drafted);
  const std::uint32_t tested = std::min(accepted + 1, drafted);
  for (std::uint32_t d = 0; d < kMaxDraftLength; ++d) {
    tested_[d] *= kMemory;
    stood_[d] *= kMemory;
  }
  for (std::uint32_t d = 0; d < tested; ++d) {
    tested_[d] += 1.0;
    stood_[d] += d < accepted ? 1.0 : 0.0;
  }
  refresh();
}

void SurvivalCurve::refresh() {
  double tested = kPriorTokens;
  double stood = kPriorRate * kPriorTokens;
  for (std::uint32_t d = 0; d < kMaxDraftLength; ++d) {
    tested += tested_[d];
    stood += stood_[d];
  }
  double rate = stood / tested;
  survival_[0] = 1.0;
  tokens_[0] = 1.0;
  for (std::uint32_t d = 0; d < kMaxDraftLength; ++d) {
    rate = (stood_[d] + kLean * rate) / (tested_[d] + kLean);
    acceptance_[d] = rate;
    survival_[d + 1] = survival_[d] * rate;
    tokens_[d + 1] = tokens_[d] + survival_[d + 1];
  }
}

}  // namespace gelato::control
