// Order statistics of repeated measurements.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace gelato::report {

// The sorted samples of one quantity. Every statistic of no samples is NaN, which tables show as
// "-" and JSON as null.
class Summary {
 public:
  Summary() = default;
  // Samples that are NaN are left out: nothing was measured.
  explicit Summary(std::vector<double> samples);

  [[nodiscard]] std::size_t count() const { return sorted_.size(); }
  [[nodiscard]] double min() const { return percentile(0.0); }
  [[nodiscard]] double median() const { return percentile(50.0); }
  [[nodiscard]] double max() const { return percentile(100.0); }

  // The value below which `percent` of the samples lie, 0 to 100 (others are clamped): linear
  // between neighbours, rank percent / 100 * (count - 1) (definition 7 of Hyndman and Fan, "Sample
  // quantiles in statistical packages", 1996; NumPy's default).
  [[nodiscard]] double percentile(double percent) const;

 private:
  std::vector<double> sorted_;
};

// The ratios numerator[i] / denominator[i]: how two interleaved rows of one benchmark compare when
// the machine's speed drifts. The longer of the two is cut to the shorter one.
Summary paired_ratios(std::span<const double> numerator, std::span<const double> denominator);

}  // namespace gelato::report
