// Which meters work on this machine, and how to open one by its name.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gelato/energy/energy_meter.h"

namespace gelato::energy {

// Where the sensors of a machine are; tests point it at a recorded tree.
struct MeterPlaces {
  std::filesystem::path sysfs = "/sys";
  std::string nvml_library = "libnvidia-ml.so.1";
  std::vector<std::string> hwmon_rails;  // HwmonMeter::open
};

// Opens `battery`, `hwmon`, `rapl` or `nvml`.
// Errors: kInvalidArgument for another name; else what that meter's open() returns.
Result<std::unique_ptr<EnergyMeter>> open_meter(std::string_view source, const MeterPlaces& places,
                                                Seconds now);

// One line of `gelato doctor`: a meter that works (`info`), or the reason why not (`problem`).
struct MeterProbe {
  std::string source;
  std::optional<MeterInfo> info;
  std::optional<Error> problem;
};

// Tries every meter, in the order in which a device should prefer them: battery (the whole device),
// hwmon (the board), rapl (the processor), nvml (the GPU).
std::vector<MeterProbe> probe_meters(const MeterPlaces& places, Seconds now);

}  // namespace gelato::energy
