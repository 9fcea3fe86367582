#include "gelato/report/summary.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace gelato::report {

Summary::Summary(std::vector<double> samples) : sorted_(std::move(samples)) {
  std::erase_if(sorted_, [](double v) { return std::isnan(v); });
  std::sort(sorted_.begin(), sorted_.end());
}

double Summary::percentile(double percent) const {
  if (sorted_.empty()) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  const double rank =
      std::clamp(percent, 0.0, 100.0) / 100.0 * static_cast<double>(sorted_.size() - 1);
  const double below = std::floor(rank);
  const auto i = static_cast<std::size_t>(below);
  if (rank == below) {
    return sorted_[i];
  }
  return std::lerp(sorted_[i], sorted_[i + 1], rank - below);
}

Summary paired_ratios(std::span<const double> numerator, std::span<const double> denominator) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < std::min(numerator.size(), denominator.size()); ++i) {
    ratios.push_back(numerator[i] / denominator[i]);
  }
  return Summary(std::move(ratios));
}

}  // namespace gelato::report
