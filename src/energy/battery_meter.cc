#include "gelato/energy/battery_meter.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "read_file.h"

namespace gelato::energy {
namespace {

// ACPI batteries are asked at most once a second (drivers/acpi/battery.c, cache_time); others are
// slower or faster, and none says so.
constexpr Seconds kNominalInterval = Seconds(1.0);

constexpr double kJoulesPerMicrowattHour = 3.6e-3;

// Drivers disagree about the sign while discharging; the status says which way it flows.
Result<double> magnitude(const std::filesystem::path& file) {
  const auto value = read_integer(file);
  if (!value) {
    return fail(value.error());
  }
  return std::abs(static_cast<double>(*value));
}

Result<Watts> plausible(Watts power, const std::filesystem::path& battery) {
  if (power > kMaxBatteryPower) {
    return fail(ErrorCode::kCorrupt, fmt::format("{} reports {:.0f} W, more than a battery gives",
                                                 battery.string(), power.value()));
  }
  return power;
}

Result<Watts> reported_power(const std::filesystem::path& battery) {
  const auto microwatts = magnitude(battery / "power_now");
  if (!microwatts) {
    return fail(microwatts.error());
  }
  return plausible(Watts(*microwatts * 1e-6), battery);
}

Result<Watts> current_times_voltage(const std::filesystem::path& battery) {
  const auto microamperes = magnitude(battery / "current_now");
  if (!microamperes) {
    return fail(microamperes.error());
  }
  const auto microvolts = magnitude(battery / "voltage_now");
  if (!microvolts) {
    return fail(microvolts.error());
  }
  return plausible(Watts(*microamperes * *microvolts * 1e-12), battery);
}

Result<Joules> stored_energy(const std::filesystem::path& battery) {
  const auto microwatt_hours = read_natural(battery / "energy_now");
  if (!microwatt_hours) {
    return fail(microwatt_hours.error());
  }
  return Joules(static_cast<double>(*microwatt_hours) * kJoulesPerMicrowattHour);
}

// The batteries of peripherals (mice, pens) have scope Device.
bool is_system_battery(const std::filesystem::path& supply) {
  return read_attribute(supply / "type").value_or("") == "Battery" &&
         read_attribute(supply / "scope").value_or("") != "Device" &&
         read_attribute(supply / "present").value_or("1") != "0";
}

bool is_connected_charger(const std::filesystem::path& supply) {
  const auto type = read_attribute(supply / "type").value_or("");
  return type != "Battery" && read_integer(supply / "online").value_or(0) > 0;
}

}  // namespace

Result<BatteryMeter::Gauge> BatteryMeter::choose_gauge(const std::filesystem::path& battery) {
  const auto power = reported_power(battery);
  // Zero while discharging is how firmware says that it does not know.
  if (power && *power > Watts(0)) {
    return Gauge::kPower;
  }
  const auto product = current_times_voltage(battery);
  if (product && *product > Watts(0)) {
    return Gauge::kCurrentVoltage;
  }
  const auto stored = stored_energy(battery);
  if (stored) {
    return Gauge::kStoredEnergy;
  }
  for (const auto& error :
       {power ? Error{} : power.error(), product ? Error{} : product.error(), stored.error()}) {
    if (error.code == ErrorCode::kCorrupt || error.code == ErrorCode::kPermissionDenied) {
      return fail(error);
    }
  }
  return fail(
      ErrorCode::kUnavailable,
      fmt::format("{} tells neither power_now, nor current_now with voltage_now, nor energy_now",
                  battery.string()));
}

Result<> BatteryMeter::check_discharging(const std::filesystem::path& supplies,
                                         const std::vector<Battery>& batteries) {
  for (const auto& name : list_directory(supplies)) {
    if (is_connected_charger(supplies / name)) {
      return fail(
          ErrorCode::kUnavailable,
          fmt::format("the device runs on mains ({}): unplug it to measure with the battery",
                      name));
    }
  }
  bool discharging = false;
  for (const auto& battery : batteries) {
    const auto status = read_attribute(battery.directory / "status");
    if (!status) {
      return fail(status.error());
    }
    if (*status == "Charging") {
      return fail(ErrorCode::kUnavailable,
                  fmt::format("{} is charging: unplug the charger", battery.directory.string()));
    }
    discharging = discharging || *status == "Discharging";
  }
  if (!discharging) {
    return fail(ErrorCode::kUnavailable,
                "no battery is discharging: unplug the device to measure with the battery");
  }
  return {};
}

Result<BatteryMeter::Sample> BatteryMeter::sample(const std::vector<Battery>& batteries) {
  Sample sum;
  for (const auto& battery : batteries) {
    if (battery.gauge == Gauge::kStoredEnergy) {
      const auto stored = stored_energy(battery.directory);
      if (!stored) {
        return fail(stored.error());
      }
      sum.stored += *stored;
      continue;
    }
    const auto power = battery.gauge == Gauge::kPower ? reported_power(battery.directory)
                                                      : current_times_voltage(battery.directory);
    if (!power) {
      return fail(power.error());
    }
    sum.power += *power;
  }
  return sum;
}

Result<std::unique_ptr<BatteryMeter>> BatteryMeter::open(const std::filesystem::path& sysfs,
                                                         Seconds now) {
  auto supplies = sysfs / "class" / "power_supply";
  std::vector<Battery> batteries;
  for (const auto& name : list_directory(supplies)) {
    if (is_system_battery(supplies / name)) {
      batteries.push_back({supplies / name});
    }
  }
  if (batteries.empty()) {
    return fail(ErrorCode::kUnavailable,
                fmt::format("there is no battery under {}", supplies.string()));
  }
  if (const auto ready = check_discharging(supplies, batteries); !ready) {
    return fail(ready.error());
  }
  for (auto& battery : batteries) {
    const auto gauge = choose_gauge(battery.directory);
    if (!gauge) {
      return fail(gauge.error());
    }
    battery.gauge = *gauge;
  }
  const auto first = sample(batteries);
  if (!first) {
    return fail(first.error());
  }
  return std::unique_ptr<BatteryMeter>(
      new BatteryMeter(std::move(supplies), std::move(batteries), *first, now));
}

BatteryMeter::BatteryMeter(std::filesystem::path supplies, std::vector<Battery> batteries,
                           Sample first, Seconds now)
    : supplies_(std::move(supplies)), batteries_(std::move(batteries)), last_(first), total_(now) {
  std::string names;
  for (const auto& battery : batteries_) {
    constexpr std::string_view kHow[] = {"power_now", "current_now x voltage_now", "energy_now"};
    names +=
        fmt::format("{}{} by {}", names.empty() ? "" : ", ", battery.directory.filename().string(),
                    kHow[static_cast<std::size_t>(battery.gauge)]);
  }
  info_ = {"battery", kNominalInterval, kMaxBatteryReadGap,
           fmt::format("the whole device, screen and radio included, at the battery ({}); gauges "
                       "are good to a few percent and refresh every 0.3 to 30 s",
                       names)};
}

Result<Joules> BatteryMeter::read(Seconds now) {
  const auto elapsed = total_.elapsed(now);
  if (!elapsed) {
    return fail(elapsed.error());
  }
  if (const auto ready = check_discharging(supplies_, batteries_); !ready) {
    if (ready.error().code != ErrorCode::kUnavailable) {
      return fail(ready.error());
    }
    last_.reset();
    return total_.lose(now, ready.error().message);
  }
  const auto current = sample(batteries_);
  if (!current) {
    return fail(current.error());
  }
  const auto before = std::exchange(last_, *current);
  if (!before || *elapsed > kMaxBatteryReadGap) {
    return total_.lose(now, fmt::format("battery: the energy of the last {:.1f} s is unknown, "
                                        "because {}",
                                        elapsed->value(),
                                        before ? fmt::format("reads must be at most {:.0f} s apart",
                                                             kMaxBatteryReadGap.value())
                                               : "the device was on mains"));
  }
  const Joules drained = before->stored - current->stored;
  if (drained < Joules(0) || drained > kMaxBatteryPower * (*elapsed + kGaugeDelay)) {
    return total_.lose(now, fmt::format("battery: the stored energy changed by {:.0f} J in {:.1f} "
                                        "s, so the device slept or the gauge corrected itself",
                                        -drained.value(), elapsed->value()));
  }
  return total_.add(now, drained + (before->power + current->power) / 2.0 * *elapsed);
}

}  // namespace gelato::energy
