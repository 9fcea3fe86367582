// A long-term energy budget as a queue: it grows by what a step spends and shrinks by what it may
// spend. GELATO, arXiv 2605.10124, equation 7: Q <- max(Q + E - E_allowed, 0), Q_1 = 0.
#pragma once

#include <algorithm>

#include "gelato/base/units.h"
#include "gelato/control/round_estimate.h"

namespace gelato::control {

// Joules overspent and not yet made up for. After K steps
//     (1/K) sum (E_k - E_allowed_k) <= level() / K,
// so the mean energy meets the budget as soon as the level grows slower than the number of steps
// (the first half of the paper's Theorem 1).
class VirtualQueue {
 public:
  // One step spent `spent`, with `allowed` as its share of the budget. Numbers that cannot be
  // measurements count as zero.
  void step(Joules spent, Joules allowed) {
    const Joules level = level_ + usable(spent) - usable(allowed);
    level_ = std::clamp(level, Joules(0.0), Joules(kLargestQuantity));
  }

  [[nodiscard]] Joules level() const { return level_; }

 private:
  Joules level_;
};

}  // namespace gelato::control
