#include "gelato/sim/trace_stats.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "gelato/control/paper_equations.h"

namespace gelato::sim {
namespace {

double ratio(double sum, std::size_t count) {
  return count > 0 ? sum / static_cast<double>(count) : 0.0;
}

std::size_t accepted(std::span<const TraceToken> drafts) {
  const auto rejected = std::find_if(drafts.begin(), drafts.end(),
                                     [](const TraceToken& token) { return token.match == 0; });
  return static_cast<std::size_t>(rejected - drafts.begin());
}

void add(const DraftTrace& trace, const TracePrompt& prompt, SetStats& stats) {
  ++stats.prompts;
  stats.positions += prompt.positions;
  stats.ended += prompt.ended ? 1 : 0;
  for (std::size_t i = prompt.first; i < prompt.first + std::size_t{prompt.positions}; ++i) {
    const auto drafts = trace.drafts(i);
    stats.acceptance += drafts[0].match;
    stats.mean_accepted += static_cast<double>(accepted(drafts));
    stats.mean_entropy += static_cast<double>(drafts[0].entropy);
  }
}

// Calls `use` with the first row at every position that has one.
template <class Use>
void for_each_row(const DraftTrace& trace, Use use) {
  for (std::size_t i = 0; i < trace.positions(); ++i) {
    if (const TraceToken& row = trace.drafts(i)[0]; row.top_p > 0) {
      use(row);
    }
  }
}

double phi(double decay, double entropy) { return std::exp(-decay * entropy); }

// Derivative of the log-likelihood of phi in its decay; it falls from +infinity or 0.
double slope(const DraftTrace& trace, double decay) {
  double sum = 0.0;
  for_each_row(trace, [&](const TraceToken& row) {
    const auto h = static_cast<double>(row.entropy);
    if (row.match != 0) {
      sum -= h;
    } else {
      sum += h > 0.0 ? h / std::expm1(decay * h) : 1.0 / decay;
    }
  });
  return sum;
}

double standard_error(const DraftTrace& trace, double decay) {
  double information = 0.0;
  for_each_row(trace, [&](const TraceToken& row) {
    const auto h = static_cast<double>(row.entropy);
    information += h > 0.0 && decay > 0.0 ? h * h / std::expm1(decay * h) : 0.0;
  });
  return information > 0.0 ? 1.0 / std::sqrt(information) : 0.0;
}

}  // namespace

std::vector<SetStats> set_stats(const DraftTrace& trace) {
  std::vector<SetStats> out;
  SetStats all;
  for (const TracePrompt& prompt : trace.prompts) {
    auto found = std::find_if(out.begin(), out.end(),
                              [&](const SetStats& stats) { return stats.set == prompt.set; });
    if (found == out.end()) {
      found = out.insert(out.end(), SetStats{.set = prompt.set});
    }
    add(trace, prompt, *found);
    add(trace, prompt, all);
  }
  out.push_back(all);
  for (SetStats& stats : out) {
    for (double* const sum : {&stats.acceptance, &stats.mean_accepted, &stats.mean_entropy}) {
      *sum = ratio(*sum, stats.positions);
    }
  }
  return out;
}

std::vector<EntropyBin> entropy_bins(const DraftTrace& trace, double width) {
  std::vector<EntropyBin> bins;
  for_each_row(trace, [&](const TraceToken& row) {
    const auto h = static_cast<double>(row.entropy);
    const auto bin = static_cast<std::size_t>(h / width);
    while (bins.size() <= bin) {
      const auto k = static_cast<double>(bins.size());
      bins.push_back({.low = k * width, .high = (k + 1) * width});
    }
    ++bins[bin].rows;
    bins[bin].mean_entropy += h;
    bins[bin].acceptance += row.match;
  });
  for (EntropyBin& bin : bins) {
    bin.mean_entropy = ratio(bin.mean_entropy, bin.rows);
    bin.acceptance = ratio(bin.acceptance, bin.rows);
  }
  return bins;
}

EntropyFit fit_entropy(const DraftTrace& trace, const std::vector<EntropyBin>& bins) {
  double low = 0.0;
  double high = kMaxDecay;
  for (int i = 0; i < 60; ++i) {  // to the last bit of a double
    const double middle = (low + high) / 2;
    (slope(trace, middle) > 0.0 ? low : high) = middle;
  }
  EntropyFit fit{.decay = (low + high) / 2};
  fit.standard_error = standard_error(trace, fit.decay);
  std::size_t rows = 0;
  for (const EntropyBin& bin : bins) {
    const double error = std::abs(bin.acceptance - phi(fit.decay, bin.mean_entropy));
    fit.calibration_error += static_cast<double>(bin.rows) * error;
    rows += bin.rows;
  }
  fit.calibration_error = ratio(fit.calibration_error, rows);
  return fit;
}

TopSetStats top_set_stats(const DraftTrace& trace, Bits per_prob) {
  std::vector<std::uint32_t> sizes;
  for_each_row(trace, [&](const TraceToken& row) { sizes.push_back(row.top_p); });
  const Bits per_index(std::bit_width(std::max(trace.vocabulary, 1U) - 1U));
  TopSetStats stats;
  stats.full_payload = static_cast<double>(trace.vocabulary) * per_prob;
  stats.mass_lost = 1.0 - trace.top_p;
  if (sizes.empty()) {
    return stats;
  }
  for (const std::uint32_t size : sizes) {
    const auto k = static_cast<std::size_t>(std::bit_width(size)) - 1;
    stats.histogram.resize(std::max(stats.histogram.size(), k + 1));
    ++stats.histogram[k];
    stats.mean += size;
  }
  stats.mean = ratio(stats.mean, sizes.size());
  stats.mean_payload =
      control::paper::payload(sizes, per_prob, per_index) / static_cast<double>(sizes.size());
  std::sort(sizes.begin(), sizes.end());
  const auto quantile = [&](double p) {
    return sizes[static_cast<std::size_t>(p * static_cast<double>(sizes.size() - 1))];
  };
  stats.median = quantile(0.5);
  stats.p90 = quantile(0.9);
  stats.p99 = quantile(0.99);
  stats.max = sizes.back();
  return stats;
}

}  // namespace gelato::sim
