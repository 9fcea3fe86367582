// Measured costs of drafting, verifying and of the link in between, for RoundContext::cost.
#pragma once

#include <cstdint>

#include "gelato/base/units.h"
#include "gelato/control/policy.h"
#include "gelato/link/link_estimator.h"

namespace gelato::device {

// Running least-squares line y = base + slope * x with exponential forgetting: the last 100 or so
// observations count. Base and slope are never negative. With observations at one x only, the
// slope is 0 and the base is the mean.
class LineFit {
 public:
  void add(double x, double y);
  [[nodiscard]] double base() const;
  [[nodiscard]] double slope() const;

 private:
  double n_ = 0.0;
  double x_ = 0.0;
  double y_ = 0.0;
  double xx_ = 0.0;
  double xy_ = 0.0;
};

// What rounds in one process have cost so far.
class CostTracker {
 public:
  // One finished round.
  void add(std::uint32_t drafted, Seconds drafting, Seconds verifying);
  // A round whose verdicts came while it drafted.
  void add_drafting(std::uint32_t drafted, Seconds drafting);
  // Fills in the time fields that can be measured in one process: draft_token, verify_base and
  // verify_token. They are zero before the first round that tells.
  [[nodiscard]] control::CostEstimate estimate() const;

 private:
  LineFit draft_;   // x: always 0; the mean time of a drafted token
                    // round may read two
  LineFit verify_;  // x: draft tokens in the pass
};

// A pass as the edge describes it.
struct SharedPass {
  std::uint32_t own = 1;     // tokens that it read for this device
  std::uint32_t others = 0;  // and for others
};

// What rounds with a target behind a link have cost so far.
class RemoteCosts {
 public:
  // So many other devices use the edge these seconds.
  void shared_with(std::uint32_t devices);
  // One answered request: `drafted` tokens went up in `round.up` bits, and this is its pass.
  void add(std::uint32_t drafted, const SharedPass& pass, const link::RoundSample& round);
  // Fills in the network fields, the target's times as the edge measured them, and devices.
  void estimate(control::CostEstimate& cost) const;

  [[nodiscard]] link::LinkEstimate link() const { return link_.estimate(); }

 private:
  link::LinkEstimator link_;
  LineFit payload_;            // bits up; x: draft tokens
  LineFit verify_;             // a pass; x: its tokens but one
  LineFit others_;             // x: always 0; the mean of other devices' tokens in a pass
  std::uint32_t devices_ = 0;  // besides this one
};

}  // namespace gelato::device
