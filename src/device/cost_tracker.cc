#include "gelato/device/cost_tracker.h"

#include <algorithm>

namespace gelato::device {
namespace {

// Weight of an observation 100 rounds ago: 1/e. Long enough to average the noise of one pass, short
// enough to follow a context that grows or a processor that throttles.
constexpr double kForget = 0.99;

// A variance of x below this is a single x: the slope is unknown.
constexpr double kOneX = 1e-9;

}  // namespace

void LineFit::add(double x, Seconds y) {
  n_ = n_ * kForget + 1.0;
  x_ = x_ * kForget + x;
  y_ = y_ * kForget + y.value();
  xx_ = xx_ * kForget + x * x;
  xy_ = xy_ * kForget + x * y.value();
}

Seconds LineFit::slope() const {
  const double spread = n_ * xx_ - x_ * x_;
  return Seconds(spread > kOneX * n_ * n_ ? std::max(0.0, (n_ * xy_ - x_ * y_) / spread) : 0.0);
}

Seconds LineFit::base() const {
  return Seconds(n_ > 0.0 ? std::max(0.0, (y_ - slope().value() * x_) / n_) : 0.0);
}

void CostTracker::add(std::uint32_t drafted, Seconds drafting, Seconds verifying) {
  if (drafted > 0) {
    draft_.add(0.0, drafting / drafted);
  }
  verify_.add(drafted, verifying);
}

control::CostEstimate CostTracker::estimate() const {
  control::CostEstimate cost;
  cost.draft_token = draft_.base();
  cost.verify_base = verify_.base();
  cost.verify_token = verify_.slope();
  return cost;
}

}  // namespace gelato::device
