#include "gelato/energy/meters.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "gelato/energy/battery_meter.h"
#include "gelato/energy/hwmon_meter.h"
#include "gelato/energy/nvml_meter.h"
#include "gelato/energy/rapl_meter.h"

namespace gelato::energy {
namespace {

constexpr std::array<std::string_view, 4> kSources = {"battery", "hwmon", "rapl", "nvml"};

template <class Meter>
Result<std::unique_ptr<EnergyMeter>> as_meter(Result<std::unique_ptr<Meter>> meter) {
  if (!meter) {
    return fail(std::move(meter.error()));
  }
  return std::move(*meter);
}

}  // namespace

Result<std::unique_ptr<EnergyMeter>> open_meter(std::string_view source, const MeterPlaces& places,
                                                Seconds now) {
  if (source == "battery") {
    return as_meter(BatteryMeter::open(places.sysfs, now));
  }
  if (source == "hwmon") {
    return as_meter(HwmonMeter::open(places.sysfs, now, places.hwmon_rails));
  }
  if (source == "rapl") {
    return as_meter(RaplMeter::open(places.sysfs, now));
  }
  if (source == "nvml") {
    return as_meter(NvmlMeter::open(places.nvml_library, now));
  }
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("'{}' is no energy meter: use battery, hwmon, rapl or nvml", source));
}

std::vector<MeterProbe> probe_meters(const MeterPlaces& places, Seconds now) {
  std::vector<MeterProbe> probes;
  for (const auto source : kSources) {
    const auto meter = open_meter(source, places, now);
    MeterProbe probe{std::string(source), std::nullopt, std::nullopt};
    if (meter) {
      probe.info = (*meter)->info();
    } else {
      probe.problem = meter.error();
    }
    probes.push_back(std::move(probe));
  }
  return probes;
}

}  // namespace gelato::energy
