#include "gelato/why_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace gelato::cli {
namespace {

// A number that is not finite is not known: null.
nlohmann::json known(double value) {
  return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json();
}

nlohmann::json trace_json(const control::Why& why) {
  nlohmann::json points = nlohmann::json::array();
  const std::uint64_t kept = std::min<std::uint64_t>(why.traced, control::Why::kTrace);
  for (std::uint64_t i = why.traced - kept; i < why.traced; ++i) {
    const control::PricePoint& point = why.trace[i % control::Why::kTrace];
    points.push_back({{"round", i},
                      {"way", to_string(point.way)},
                      {"theta_tokens_per_s", known(point.tokens_per_second)},
                      {"lambda_tokens_per_j", known(point.tokens_per_joule)},
                      {"debt_j", known(point.debt.value())},
                      {"length", point.length},
                      {"chunk", point.chunk},
                      {"window", point.window}});
  }
  return points;
}

nlohmann::json calibration_json(const control::ReliabilityTable& table) {
  nlohmann::json bins = nlohmann::json::array();
  for (const auto& bin : table.bins) {
    const auto tokens = static_cast<double>(bin.tokens);  // NaN, and so null, without tokens
    bins.push_back({{"tokens", bin.tokens},
                    {"predicted", known(bin.predicted / tokens)},
                    {"accepted", known(static_cast<double>(bin.accepted) / tokens)}});
  }
  return {{"tokens", table.tokens()},
          {"error", table.expected_calibration_error()},
          {"bins", std::move(bins)}};
}

}  // namespace

nlohmann::json why_json(const control::Why* why) {
  if (why == nullptr) {
    return nullptr;
  }
  nlohmann::json rounds;
  for (std::size_t i = 0; i < control::kWays; ++i) {
    rounds[std::string(to_string(static_cast<control::Way>(i)))] = why->rounds[i];
  }
  return {{"rounds", std::move(rounds)},
          {"trials", why->trials},
          {"switches", why->switches},
          {"budget_infeasible", why->infeasible},
          {"least_joules_per_token", known(why->least_per_token.value())},
          {"trace", trace_json(*why)},
          {"calibration", calibration_json(why->reliability)}};
}

std::string why_text(const control::Why* why) {
  if (why == nullptr || !why->infeasible) {
    return {};
  }
  return fmt::format(
      "the energy budget cannot be kept here: the thriftiest way is expected to need {:.3g} J a "
      "token, and was taken\n",
      why->least_per_token.value());
}

}  // namespace gelato::cli
