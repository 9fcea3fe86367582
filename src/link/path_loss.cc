#include "gelato/link/path_loss.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace gelato::link {
namespace {

// Antenna heights in metres: h_BS of UMi in table 7.4.1-1, the rest from tables 7.2-1 and 7.2-2.
constexpr double kUmiStation = 10.0;
constexpr double kUmiDevice = 1.5;
constexpr double kUmiEnvironment = 1.0;  // h_E, note 1 of table 7.4.1-1
constexpr double kInhStation = 3.0;
constexpr double kInhDevice = 1.0;
constexpr double kLightSpeed = 3.0e8;  // as the table rounds it

constexpr std::array<std::pair<PathLossModel, std::string_view>, 4> kNames{{
    {PathLossModel::kUmiLos, "umi-los"},
    {PathLossModel::kUmiNlos, "umi-nlos"},
    {PathLossModel::kInhLos, "inh-los"},
    {PathLossModel::kInhNlos, "inh-nlos"},
}};

bool is_umi(PathLossModel m) { return m == PathLossModel::kUmiLos || m == PathLossModel::kUmiNlos; }

double umi_los(double d2, double d3, double ghz) {
  const double breakpoint = 4.0 * (kUmiStation - kUmiEnvironment) * (kUmiDevice - kUmiEnvironment) *
                            ghz * 1e9 / kLightSpeed;
  if (d2 <= breakpoint) {
    return 32.4 + 21.0 * std::log10(d3) + 20.0 * std::log10(ghz);
  }
  const double drop = kUmiStation - kUmiDevice;
  return 32.4 + 40.0 * std::log10(d3) + 20.0 * std::log10(ghz) -
         9.5 * std::log10(breakpoint * breakpoint + drop * drop);
}

double umi_nlos(double d2, double d3, double ghz) {
  const double excess =
      35.3 * std::log10(d3) + 22.4 + 21.3 * std::log10(ghz) - 0.3 * (kUmiDevice - 1.5);
  return std::max(umi_los(d2, d3, ghz), excess);
}

double inh_los(double d3, double ghz) {
  return 32.4 + 17.3 * std::log10(d3) + 20.0 * std::log10(ghz);
}

double inh_nlos(double d3, double ghz) {
  const double excess = 38.3 * std::log10(d3) + 17.3 + 24.9 * std::log10(ghz);
  return std::max(inh_los(d3, ghz), excess);
}

}  // namespace

std::string_view to_string(PathLossModel model) {
  for (const auto& [m, name] : kNames) {
    if (m == model) {
      return name;
    }
  }
  return "unknown";
}

std::optional<PathLossModel> path_loss_model(std::string_view name) {
  for (const auto& [m, n] : kNames) {
    if (n == name) {
      return m;
    }
  }
  return std::nullopt;
}

Result<Decibels> path_loss(PathLossModel model, Metres distance, Hertz carrier) {
  const double ghz = carrier.value() / 1e9;
  if (!(ghz >= 0.5 && ghz <= 100.0)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("a carrier of {} GHz is outside the path loss models (3GPP TR 38.901): "
                            "use 0.5 to 100 GHz",
                            ghz));
  }
  const double d2 = distance.value();
  const double d3 =
      std::hypot(d2, is_umi(model) ? kUmiStation - kUmiDevice : kInhStation - kInhDevice);
  const bool valid = is_umi(model) ? d2 >= 10.0 && d2 <= 5000.0 : d2 >= 0.0 && d3 <= 150.0;
  if (!valid) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("a distance of {} m is outside path loss model {} (3GPP TR 38.901): "
                            "use {}",
                            d2, to_string(model),
                            is_umi(model) ? "10 m to 5 km" : "0 to 149.9 m across the floor"));
  }
  switch (model) {
    case PathLossModel::kUmiLos:
      return Decibels(umi_los(d2, d3, ghz));
    case PathLossModel::kUmiNlos:
      return Decibels(umi_nlos(d2, d3, ghz));
    case PathLossModel::kInhLos:
      return Decibels(inh_los(d3, ghz));
    case PathLossModel::kInhNlos:
      return Decibels(inh_nlos(d3, ghz));
  }
  return fail(ErrorCode::kInternal, "a path loss model without a formula");
}

}  // namespace gelato::link
