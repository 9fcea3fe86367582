// A straight line y = a + b x through a stream of points whose line may drift or jump, with a, b >=
// 0 and an honest account of what is not known. Made for transfer times: x bits take a + b x
// seconds.
//
// - Recursive least squares with exponential forgetting, in centred form (means and co-moments).
//   The first kWindow points after a start or a jump are fitted together, by iterated reweighting.
// - Regularised: the slope has a prior of mean 0 and standard deviation mean(y) / mean(x), that is,
//   at most the whole of y comes from x. So points that all have the same x leave the slope at 0
//   with that large error, instead of at an invented number.
// - Outliers: residuals beyond kHuber standard deviations are weighted down (Huber, Robust
//   Statistics, 1981), with the deviation taken from the median absolute residual.
// - Jumps: a two-sided CUSUM of the clipped, standardised residuals (Page, Biometrika 41, 1954).
//   When it fires, everything before the jump began (the CUSUM's last zero) is forgotten.
#pragma once

#include <cstddef>
#include <cstdint>

#include "gelato/link/recent.h"

namespace gelato::link {

class RecursiveLine {
 public:
  // Weight of a point after one more: a memory of 50 points. Longer would gain little, since a jump
  // is found by the CUSUM anyway and drift makes older points wrong.
  static constexpr double kForgetting = 0.98;
  // Points kept for the medians and to restart from.
  static constexpr std::size_t kWindow = 32;
  // Textbook Huber constant: 95 % efficient on normal residuals.
  static constexpr double kHuber = 1.345;
  // CUSUM: residuals are clipped to +-kClip, so that it takes six in a row to fire it and runs of
  // late rounds on a lossy link seldom do; kSlack is half the smallest jump worth finding quickly
  // (one standard deviation); kAlarm sets how often it fires on noise. At these values it fires
  // less than once in 1000 points, also if every fifth is an outlier (recursive_line_test.cc).
  static constexpr double kClip = 2.0;
  static constexpr double kSlack = 0.5;
  static constexpr double kAlarm = 8.0;
  // Points before residuals mean anything.
  static constexpr std::size_t kWarmUp = 5;
  // Reweighting passes of a fit from the window: more make it quicker after a jump, fewer make it
  // steadier among outliers; between 2 and 10 the difference is small.
  static constexpr int kRefitPasses = 3;

  // `noise_floor` > 0: standard deviation of y below which nothing is believed, in y's unit.
  explicit RecursiveLine(double noise_floor) : noise_(noise_floor), noise_floor_(noise_floor) {}

  // Precondition: x and y finite and >= 0.
  void add(double x, double y);

  struct Value {
    double value;
    double error;  // standard error; infinity: nothing is known
  };
  [[nodiscard]] Value slope() const;
  // Height of the line at `x`.
  [[nodiscard]] Value at(double x) const;

  // Robust standard deviation of single points around the line.
  [[nodiscard]] double noise() const { return noise_; }
  [[nodiscard]] double mean_x() const { return mean_x_; }
  // Points since the last jump, at most kWindow of them, oldest first.
  struct Point {
    double x = 0.0;
    double y = 0.0;
  };
  [[nodiscard]] const Recent<Point, kWindow>& recent() const { return recent_; }
  // How many points went in since the last jump, and how many jumps there were.
  [[nodiscard]] std::uint64_t points() const { return points_; }
  [[nodiscard]] std::uint64_t jumps() const { return jumps_; }

 private:
  // One side of the CUSUM: its sum, and how many points ago it was last zero.
  struct Cusum {
    double sum = 0.0;
    std::size_t run = 0;
    bool add(double excess);
  };

  [[nodiscard]] double standardised(const Point& p) const;
  bool jumped(double z);
  void absorb(const Point& p, double weight);
  void refit();
  [[nodiscard]] double window_noise() const;
  [[nodiscard]] double prior_strength() const;

  double weight_ = 0.0;  // sum of the forgotten weights
  double mean_x_ = 0.0;
  double mean_y_ = 0.0;
  double s_xx_ = 0.0;  // weighted sums of squares and products around the means
  double s_xy_ = 0.0;
  double noise_;
  double noise_floor_;
  Cusum high_;
  Cusum low_;
  Recent<Point, kWindow> recent_;
  std::uint64_t points_ = 0;
  std::uint64_t jumps_ = 0;
};

}  // namespace gelato::link
