#include "gelato/control/acceptance_predictor.h"

#include <algorithm>
#include <cmath>

#include "gelato/control/round_estimate.h"

namespace gelato::control {
namespace {

constexpr std::size_t kFeatures = AcceptancePrior::kFeatures;

// No vocabulary has rows of more entropy: e^20 tokens.
constexpr double kLargestEntropy = 20.0;
// Keeps predictions strictly inside (0, 1) and the variance of a label away from zero.
constexpr double kLargestLogit = 12.0;

}  // namespace

void ReliabilityTable::add(double predicted, bool accepted) {
  const auto index = static_cast<std::size_t>(std::clamp(predicted, 0.0, 1.0) * kBins);
  Bin& bin = bins.at(std::min(index, kBins - 1));
  ++bin.tokens;
  bin.predicted += predicted;
  bin.accepted += accepted ? 1 : 0;
}

std::uint64_t ReliabilityTable::tokens() const {
  std::uint64_t sum = 0;
  for (const Bin& bin : bins) {
    sum += bin.tokens;
  }
  return sum;
}

double ReliabilityTable::expected_calibration_error() const {
  double error = 0.0;
  for (const Bin& bin : bins) {
    error += std::abs(bin.predicted - static_cast<double>(bin.accepted));
  }
  return error / static_cast<double>(std::max<std::uint64_t>(tokens(), 1));
}

AcceptancePredictor::AcceptancePredictor(const AcceptancePrior& prior)
    : weights_(prior.weights),
      widest_(prior.width * prior.width),
      drift_(prior.drift * prior.drift) {
  doubt();
}

void AcceptancePredictor::doubt() {
  covariance_ = {};
  for (std::size_t i = 0; i < kFeatures; ++i) {
    covariance_[i][i] = widest_;
  }
}

double AcceptancePredictor::probability(const Features& x) const {
  double logit = 0.0;
  for (std::size_t i = 0; i < kFeatures; ++i) {
    logit += weights_[i] * x[i];
  }
  return 1.0 / (1.0 + std::exp(-std::clamp(logit, -kLargestLogit, kLargestLogit)));
}

double AcceptancePredictor::predict(const spec::RowStats& row, std::uint32_t depth) {
  const Features x{1.0, std::min(usable(row.entropy), kLargestEntropy),
                   std::min(usable(row.top1_prob), 1.0), std::min(usable(row.margin), 1.0),
                   std::min(static_cast<double>(depth) / kMaxDraftLength, 1.0)};
  const double predicted = probability(x);
  if (rows_ < drafted_.size()) {
    drafted_[rows_++] = {x, predicted};
  }
  return predicted;
}

void AcceptancePredictor::learn(std::uint32_t drafted, std::uint32_t accepted) {
  const std::uint32_t rows = std::min(drafted, rows_);
  const std::uint32_t tested = accepted < rows ? accepted + 1 : rows;
  for (std::uint32_t i = 0; i < tested; ++i) {
    reliability_.add(drafted_[i].predicted, i < accepted);
    update(drafted_[i].x, i < accepted);
  }
  rows_ = 0;
}

// With s = p (1 - p), the variance of the label: Sigma <- Sigma - Sigma x x' Sigma / (1/s + x'
// Sigma x) and w <- w + Sigma x (y - p), both in one step along Sigma x.
void AcceptancePredictor::update(const Features& x, bool accepted) {
  Features direction{};  // Sigma x
  double spread = 0.0;   // x' Sigma x
  for (std::size_t i = 0; i < kFeatures; ++i) {
    covariance_[i][i] = std::min(covariance_[i][i] + drift_, widest_);
  }
  for (std::size_t i = 0; i < kFeatures; ++i) {
    for (std::size_t j = 0; j < kFeatures; ++j) {
      direction[i] += covariance_[i][j] * x[j];
    }
    spread += direction[i] * x[i];
  }
  const double p = probability(x);
  const double gain = 1.0 / (1.0 + p * (1.0 - p) * std::max(spread, 0.0));
  for (std::size_t i = 0; i < kFeatures; ++i) {
    weights_[i] += gain * ((accepted ? 1.0 : 0.0) - p) * direction[i];
    for (std::size_t j = 0; j < kFeatures; ++j) {
      covariance_[i][j] -= gain * p * (1.0 - p) * direction[i] * direction[j];
    }
  }
}

}  // namespace gelato::control
