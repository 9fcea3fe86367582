// What the statistical tests share. A test at `kFalseAlarm` fails a correct program once in 10^6
// seeds; the seeds are fixed, so a passing test stays passing.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

namespace gelato::link::testing {

inline constexpr double kFalseAlarm = 1e-6;
// Standard errors that a normal value stays within but for a probability of 6e-7.
inline constexpr double kFiveSigma = 5.0;

// Kolmogorov-Smirnov distance of `values` from the distribution function `cdf`.
inline double ks_distance(std::vector<double> values, const std::function<double(double)>& cdf) {
  std::sort(values.begin(), values.end());
  const auto n = static_cast<double>(values.size());
  double distance = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double f = cdf(values[i]);
    distance =
        std::max({distance, f - static_cast<double>(i) / n, static_cast<double>(i + 1) / n - f});
  }
  return distance;
}

// What the distance exceeds with probability at most kFalseAlarm (Dvoretzky, Kiefer, Wolfowitz,
// with Massart's constant).
inline double ks_limit(std::size_t n) {
  return std::sqrt(std::log(2.0 / kFalseAlarm) / (2.0 * static_cast<double>(n)));
}

}  // namespace gelato::link::testing
