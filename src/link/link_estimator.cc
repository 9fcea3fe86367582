#include "gelato/link/link_estimator.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <span>
#include <string>

#include "robust.h"

namespace gelato::link {
namespace {

constexpr std::size_t kWindow = RecursiveLine::kWindow;

Seconds wire_seconds(const RoundSample& r) { return r.received - r.sent - r.queue - r.service; }

Result<> check(const RoundSample& r) {
  const auto refuse = [](const char* why) {
    return fail(ErrorCode::kInvalidArgument, std::string("round not used: ") + why);
  };
  const auto within = [](double x, double max) { return x >= 0.0 && x <= max; };  // NaN is not
  if (!within(r.up.value(), LinkEstimator::kMaxMessage.value()) ||
      !within(r.down.value(), LinkEstimator::kMaxMessage.value())) {
    return refuse("a message size is no number from 0 to 8e9 bits");
  }
  if (!std::isfinite(r.sent.value()) || !std::isfinite(r.received.value()) ||
      !within((r.received - r.sent).value(), LinkEstimator::kMaxRound.value())) {
    return refuse("it took no time from 0 to 3600 s");
  }
  if (!within(r.queue.value(), LinkEstimator::kMaxRound.value()) ||
      !within(r.service.value(), LinkEstimator::kMaxRound.value())) {
    return refuse("the edge's queue or service time is no time from 0 to 3600 s");
  }
  if (wire_seconds(r) < Seconds(0)) {
    return refuse("the edge reports more time than the whole round took");
  }
  return {};
}

// Median of the window, with its standard error for normal values (sqrt(pi / 2) times the mean's).
Estimate<Seconds> typical(const Recent<double, kWindow>& window) {
  if (window.size() == 0) {
    return {};
  }
  std::array<double, kWindow> values{};
  for (std::size_t i = 0; i < window.size(); ++i) {
    values.at(i) = window[i];
  }
  const auto used = std::span(values).first(window.size());
  const double middle = median(used);
  const double n = static_cast<double>(window.size());
  // One sample says nothing about its spread.
  const double error = window.size() == 1 ? std::numeric_limits<double>::infinity()
                                          : 1.2533 * robust_deviation(used, middle) / std::sqrt(n);
  return {Seconds(middle), Seconds(error), window.size()};
}

}  // namespace

LinkEstimator::LinkEstimator(double downlink_weight)
    : downlink_weight_(downlink_weight), wire_(kNoiseFloor.value()) {
  assert(std::isfinite(downlink_weight) && downlink_weight >= 0.0);
}

double LinkEstimator::weigh(Bits up, Bits down) const {
  return (up + downlink_weight_ * down).value();
}

Result<> LinkEstimator::add(const RoundSample& round) {
  if (auto ok = check(round); !ok) {
    return ok;
  }
  wire_.add(weigh(round.up, round.down), wire_seconds(round).value());
  queue_.push(round.queue.value());
  service_.push(round.service.value());
  ++rounds_;
  return {};
}

Estimate<Seconds> LinkEstimator::wire_time(Bits up, Bits down) const {
  const auto [value, error] = wire_.at(weigh(up, down));
  return {Seconds(std::max(value, 0.0)), Seconds(error), wire_.points()};
}

Estimate<Seconds> LinkEstimator::min_rtt(double slope, double slope_error) const {
  const auto& points = wire_.recent();
  Estimate<Seconds> least;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const Seconds offset(std::max(points[i].y - slope * points[i].x, 0.0));
    if (i == 0 || offset < least.value) {
      least = {offset, Seconds(std::max(slope_error * points[i].x, kNoiseFloor.value())),
               points.size()};
    }
  }
  return least;
}

Estimate<double> LinkEstimator::late_share() const {
  const auto& points = wire_.recent();
  if (points.size() == 0) {
    return {};
  }
  std::size_t late = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    late += points[i].y - wire_.at(points[i].x).value > kLate * wire_.noise() ? 1 : 0;
  }
  const double n = static_cast<double>(points.size());
  const double share = static_cast<double>(late) / n;
  // Agresti and Coull (1998): the plain binomial error would be 0 for a share of 0.
  const double smoothed = (static_cast<double>(late) + 2.0) / (n + 4.0);
  return {share, std::sqrt(smoothed * (1.0 - smoothed) / (n + 4.0)), points.size()};
}

LinkEstimate LinkEstimator::estimate() const {
  LinkEstimate out;
  out.queue = typical(queue_);
  out.service = typical(service_);
  out.jitter = Seconds(wire_.noise());
  out.late = late_share();
  out.rounds = rounds_;
  out.changes = wire_.jumps();
  if (rounds_ == 0) {
    return out;
  }
  const auto [slope, slope_error] = wire_.slope();
  const bool identified = slope > kSignificant * slope_error;
  if (identified) {
    out.uplink = {BitsPerSecond(1.0 / slope), BitsPerSecond(slope_error / (slope * slope)),
                  wire_.points()};
  }
  const double used_slope = identified ? slope : 0.0;
  const RecursiveLine::Value mean = wire_.at(wire_.mean_x());
  const RecursiveLine::Value idle = wire_.at(0.0);
  out.rtt = {Seconds(identified ? std::max(idle.value, 0.0) : mean.value), Seconds(idle.error),
             wire_.points()};
  out.min_rtt = min_rtt(used_slope, slope_error);
  return out;
}

}  // namespace gelato::link
