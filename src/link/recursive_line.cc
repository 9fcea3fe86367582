#include "gelato/link/recursive_line.h"

#include <array>
#include <cmath>
#include <limits>
#include <span>

#include "robust.h"

namespace gelato::link {
namespace {

double square(double x) { return x * x; }

double huber_weight(double z) {
  return std::abs(z) <= RecursiveLine::kHuber ? 1.0 : RecursiveLine::kHuber / std::abs(z);
}

}  // namespace

bool RecursiveLine::Cusum::add(double excess) {
  sum += excess - kSlack;
  ++run;
  if (sum <= 0.0) {
    *this = {};
  }
  return sum > kAlarm;
}

void RecursiveLine::add(double x, double y) {
  const Point point{x, y};
  ++points_;
  recent_.push(point);
  const bool judged = points_ > kWarmUp;
  if (judged && jumped(standardised(point))) {
    return;
  }
  if (points_ <= kWindow) {
    refit();
    return;
  }
  absorb(point, huber_weight(standardised(point)));
  noise_ = window_noise();
}

// How many deviations `p` lies above the line.
double RecursiveLine::standardised(const Point& p) const {
  const Value expected = at(p.x);
  return (p.y - expected.value) / std::hypot(noise_, expected.error);
}

// Whether a point `z` deviations off the line shows that the line has jumped; if so, starts again.
bool RecursiveLine::jumped(double z) {
  const double clipped = std::clamp(z, -kClip, kClip);
  const bool rose = high_.add(clipped);
  const bool fell = low_.add(-clipped);
  if (!rose && !fell) {
    return false;
  }
  recent_.keep(rose ? high_.run : low_.run);
  points_ = recent_.size();
  ++jumps_;
  high_ = low_ = {};
  refit();
  return true;
}

void RecursiveLine::absorb(const Point& p, double weight) {
  weight_ = kForgetting * weight_ + weight;
  const double dx = p.x - mean_x_;
  const double dy = p.y - mean_y_;
  mean_x_ += weight / weight_ * dx;
  mean_y_ += weight / weight_ * dy;
  s_xx_ = kForgetting * s_xx_ + weight * dx * (p.x - mean_x_);
  s_xy_ = kForgetting * s_xy_ + weight * dx * (p.y - mean_y_);
}

void RecursiveLine::refit() {
  // From the flat line through the median height.
  std::array<double, kWindow> heights{};
  for (std::size_t i = 0; i < recent_.size(); ++i) {
    heights.at(i) = recent_[i].y;
  }
  weight_ = 1.0;
  mean_x_ = s_xx_ = s_xy_ = 0.0;
  mean_y_ = median(std::span(heights).first(recent_.size()));
  noise_ = window_noise();
  for (int pass = 0; pass < kRefitPasses; ++pass) {
    std::array<double, kWindow> weights{};
    for (std::size_t i = 0; i < recent_.size(); ++i) {
      weights.at(i) = huber_weight((recent_[i].y - at(recent_[i].x).value) / noise_);
    }
    weight_ = mean_x_ = mean_y_ = s_xx_ = s_xy_ = 0.0;
    for (std::size_t i = 0; i < recent_.size(); ++i) {
      absorb(recent_[i], weights.at(i));
    }
    noise_ = window_noise();
  }
  if (recent_.size() < kWarmUp) {
    // Too few to judge by: assume that each may be wrong by half of what it is.
    noise_ = std::max(noise_, mean_y_ / 2.0);
  }
}

double RecursiveLine::window_noise() const {
  std::array<double, kWindow> residuals{};
  for (std::size_t i = 0; i < recent_.size(); ++i) {
    residuals.at(i) = recent_[i].y - at(recent_[i].x).value;
  }
  const auto used = std::span(residuals).first(recent_.size());
  return std::max(noise_floor_, robust_deviation(used, 0.0));
}

double RecursiveLine::prior_strength() const {
  // Variance of a point over that of the prior; the noise keeps it sane where y is next to 0.
  return square(noise_ * mean_x_ / (mean_y_ + noise_));
}

RecursiveLine::Value RecursiveLine::slope() const {
  const double information = s_xx_ + prior_strength();
  if (!(information > 0.0)) {
    return {0.0, std::numeric_limits<double>::infinity()};
  }
  const double steepest = mean_y_ / mean_x_;
  return {std::clamp(s_xy_ / information, 0.0, steepest), noise_ / std::sqrt(information)};
}

RecursiveLine::Value RecursiveLine::at(double x) const {
  if (weight_ == 0.0) {
    return {0.0, std::numeric_limits<double>::infinity()};
  }
  const Value b = slope();
  const double dx = x - mean_x_;
  const double sideways = dx == 0.0 ? 0.0 : dx * b.error;  // also where b.error is infinite
  return {mean_y_ + b.value * dx, std::hypot(noise_ / std::sqrt(weight_), sideways)};
}

}  // namespace gelato::link
