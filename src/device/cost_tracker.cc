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

void LineFit::add(double x, double y) {
  n_ = n_ * kForget + 1.0;
  x_ = x_ * kForget + x;
  y_ = y_ * kForget + y;
  xx_ = xx_ * kForget + x * x;
  xy_ = xy_ * kForget + x * y;
}

double LineFit::slope() const {
  const double spread = n_ * xx_ - x_ * x_;
  return spread > kOneX * n_ * n_ ? std::max(0.0, (n_ * xy_ - x_ * y_) / spread) : 0.0;
}

double LineFit::base() const { return n_ > 0.0 ? std::max(0.0, (y_ - slope() * x_) / n_) : 0.0; }

void CostTracker::add_drafting(std::uint32_t drafted, Seconds drafting) {
  if (drafted > 0) {
    draft_.add(0.0, drafting.value() / drafted);
  }
}

void CostTracker::add(std::uint32_t drafted, Seconds drafting, Seconds verifying) {
  add_drafting(drafted, drafting);
  verify_.add(drafted, verifying.value());
}

control::CostEstimate CostTracker::estimate() const {
  control::CostEstimate cost;
  cost.draft_token = Seconds(draft_.base());
  cost.verify_base = Seconds(verify_.base());
  cost.verify_token = Seconds(verify_.slope());
  return cost;
}

void RemoteCosts::shared_with(std::uint32_t devices) { devices_ = devices; }

void RemoteCosts::add(std::uint32_t drafted, const SharedPass& pass,
                      const link::RoundSample& round) {
  if (!link_.add(round)) {
    return;  // a clock or an edge that cannot be believed
  }
  payload_.add(drafted, round.up.value());
  verify_.add(static_cast<double>(pass.own) + pass.others - 1.0, round.service.value());
  others_.add(0.0, pass.others);
}

void RemoteCosts::estimate(control::CostEstimate& cost) const {
  const link::LinkEstimate link = link_.estimate();
  if (link.rounds == 0) {
    return;
  }
  // While the rate is not known (0), all of the wire's time stands in the round trip.
  cost.round_trip = link.rtt.value;
  cost.uplink = link.uplink.value;
  cost.uplink_bits_per_token = Bits(payload_.slope());
  cost.uplink_bits_per_round = Bits(payload_.base());
  cost.queue = link.queue.value;
  cost.verify_base = Seconds(verify_.base());
  cost.verify_token = Seconds(verify_.slope());
  cost.others = others_.base() * cost.verify_token;
  cost.devices = 1.0 + devices_;
}

}  // namespace gelato::device
