// Mean path loss of a radio link: the formulas of 3GPP TR 38.901 V16.1.0, table 7.4.1-1, with the
// antenna heights that table and table 7.2-2 give for each scenario. Shadow fading is not drawn:
// whoever wants a margin for it (or for interference and the receiver's noise figure) adds one.
#pragma once

#include <optional>
#include <string_view>

#include "gelato/base/result.h"
#include "gelato/base/units.h"

namespace gelato::link {

using Metres = Quantity<struct MetresTag>;

// Urban micro cell in a street canyon (base station at 10 m, device at 1.5 m) and indoor office
// (ceiling access point at 3 m, device at 1 m), each with and without line of sight.
enum class PathLossModel { kUmiLos, kUmiNlos, kInhLos, kInhNlos };

// "umi-los", "umi-nlos", "inh-los", "inh-nlos".
std::string_view to_string(PathLossModel model);
std::optional<PathLossModel> path_loss_model(std::string_view name);

// Mean loss (positive) over the horizontal distance `distance` (d_2D) at `carrier`.
// Validity, from the same table; outside of it the error is kInvalidArgument and names the range:
//   carrier 0.5 to 100 GHz; UMi: d_2D 10 m to 5 km; InH: d_3D 1 to 150 m.
Result<Decibels> path_loss(PathLossModel model, Metres distance, Hertz carrier);

}  // namespace gelato::link
