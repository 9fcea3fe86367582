// Medians, which half of the values may be wrong without harm.
#pragma once

#include <algorithm>
#include <cassert>
#include <cmath>
#include <span>

namespace gelato::link {

// Median of `values`, the upper one of an even number; reorders them. Precondition: not empty.
inline double median(std::span<double> values) {
  assert(!values.empty());
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Standard deviation of `values` around `centre` from their median absolute deviation, exact for
// normal values; overwrites them. Precondition: not empty.
inline double robust_deviation(std::span<double> values, double centre) {
  constexpr double kNormal = 1.4826;  // 1 / the upper quartile of the standard normal
  for (double& v : values) {
    v = std::abs(v - centre);
  }
  return kNormal * median(values);
}

}  // namespace gelato::link
