// Measured costs of drafting and verifying, for RoundContext::cost.
#pragma once

#include <cstdint>

#include "gelato/base/units.h"
#include "gelato/control/policy.h"

namespace gelato::device {

// Running least-squares line time = base + slope * x with exponential forgetting: the last 100 or
// so observations count. Base and slope are never negative. With observations at one x only, the
// slope is 0 and the base is the mean.
class LineFit {
 public:
  void add(double x, Seconds y);
  [[nodiscard]] Seconds base() const;
  [[nodiscard]] Seconds slope() const;

 private:
  double n_ = 0.0;
  double x_ = 0.0;
  double y_ = 0.0;
  double xx_ = 0.0;
  double xy_ = 0.0;
};

// What rounds have cost so far.
class CostTracker {
 public:
  // One finished round.
  void add(std::uint32_t drafted, Seconds drafting, Seconds verifying);
  // Fills in the time fields that can be measured in one process: draft_token, verify_base and
  // verify_token. They are zero before the first round that tells.
  [[nodiscard]] control::CostEstimate estimate() const;

 private:
  LineFit draft_;   // x: always 0; the mean time of a drafted token
                    // round may read two
  LineFit verify_;  // x: draft tokens in the pass
};

}  // namespace gelato::device
