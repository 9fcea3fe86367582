#include "gelato/energy/hwmon_meter.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "read_file.h"

namespace gelato::energy {
namespace {

// The most rails one chip has (the kernel's largest power controllers stay below it).
constexpr int kMaxRailsPerChip = 32;
// Most hwmon drivers that publish no update_interval cache their values for up to a second.
constexpr Seconds kNominalInterval = Seconds(1.0);

// Labels of rails that carry everything: Jetson modules (NVIDIA Jetson Linux Developer Guide,
// VDD_IN and POM_5V_IN: the module's total input) and power supplies (kernel: hwmon/pmbus.rst,
// hwmon/corsair-psu.rst).
constexpr std::array<std::string_view, 4> kTotalInput = {"VDD_IN", "POM_5V_IN", "pin",
                                                         "power total"};

Seconds update_interval(const std::filesystem::path& chip) {
  return milliseconds(static_cast<double>(read_natural(chip / "update_interval").value_or(0)));
}

std::string rail_name(const std::string& chip, const std::string& label, std::string_view file) {
  return fmt::format("{}/{}", chip, label.empty() ? file : label);
}

}  // namespace

void HwmonMeter::find_rails(const std::filesystem::path& chip, std::vector<Rail>& found) {
  const std::string name = read_attribute(chip / "name").value_or("");
  // A power supply's own sensors (device/type) are the battery meter's business.
  if (name.empty() || is_present(chip / "device" / "type")) {
    return;
  }
  const bool ina = name.starts_with("ina");
  const Seconds interval = update_interval(chip);
  const std::size_t before = found.size();
  for (int n = 1; n <= kMaxRailsPerChip; ++n) {
    const auto file = fmt::format("power{}", n);
    auto power = chip / (file + "_input");
    if (is_present(power)) {
      const auto label = read_attribute(chip / (file + "_label")).value_or("");
      found.push_back(
          {rail_name(name, label, file), label, ina, interval, std::move(power), {}, {}});
    }
  }
  if (!ina || found.size() > before) {
    return;
  }
  // The INA3221 has three channels; its in4 to in7 are voltages across the shunts.
  for (int n = 1; n <= 3; ++n) {
    const auto file = fmt::format("in{}", n);
    auto volts = chip / (file + "_input");
    auto amperes = chip / fmt::format("curr{}_input", n);
    const bool enabled = read_integer(chip / (file + "_enable")).value_or(1) != 0;
    if (enabled && is_present(volts) && is_present(amperes)) {
      const auto label = read_attribute(chip / (file + "_label")).value_or("");
      found.push_back({rail_name(name, label, file),
                       label,
                       ina,
                       interval,
                       {},
                       std::move(volts),
                       std::move(amperes)});
    }
  }
}

Result<std::vector<HwmonMeter::Rail>> HwmonMeter::choose(std::vector<Rail> found,
                                                         const std::vector<std::string>& wanted) {
  std::string names;
  for (const auto& rail : found) {
    names += (names.empty() ? "" : ", ") + rail.name;
  }
  for (const auto& name : wanted) {
    if (std::none_of(found.begin(), found.end(), [&](const Rail& r) { return r.name == name; })) {
      return fail(ErrorCode::kNotFound,
                  fmt::format("there is no power rail '{}'; there {}", name,
                              names.empty() ? "is none at all" : "are: " + names));
    }
  }
  const auto keep = [&found](const auto& qualifies) {
    std::vector<Rail> kept;
    std::copy_if(found.begin(), found.end(), std::back_inserter(kept), qualifies);
    return kept;
  };
  if (!wanted.empty()) {
    return keep([&](const Rail& r) {
      return std::find(wanted.begin(), wanted.end(), r.name) != wanted.end();
    });
  }
  auto chosen = keep([](const Rail& r) {
    return std::find(kTotalInput.begin(), kTotalInput.end(), r.label) != kTotalInput.end();
  });
  if (chosen.empty()) {
    chosen = keep([](const Rail& r) { return r.ina; });
  }
  if (chosen.empty()) {
    return fail(
        ErrorCode::kUnavailable,
        names.empty()
            ? "there is no power sensor under class/hwmon"
            : "no power rail is known to be the device's input; name the ones to sum: " + names);
  }
  return chosen;
}

Result<Watts> HwmonMeter::rail_power(const Rail& rail) {
  double watts = 0.0;
  if (!rail.power.empty()) {
    const auto microwatts = read_integer(rail.power);
    if (!microwatts) {
      return fail(microwatts.error());
    }
    watts = static_cast<double>(*microwatts) * 1e-6;
  } else {
    const auto millivolts = read_integer(rail.millivolts);
    if (!millivolts) {
      return fail(millivolts.error());
    }
    const auto milliamperes = read_integer(rail.milliamperes);
    if (!milliamperes) {
      return fail(milliamperes.error());
    }
    watts = static_cast<double>(*millivolts) * static_cast<double>(*milliamperes) * 1e-6;
  }
  if (Watts(watts) > kMaxRailPower) {
    return fail(
        ErrorCode::kCorrupt,
        fmt::format("power rail {} reads {:.3g} W, which no device draws", rail.name, watts));
  }
  return Watts(std::max(watts, 0.0));
}

Result<Watts> HwmonMeter::total_power(const std::vector<Rail>& rails) {
  Watts sum;
  for (const auto& rail : rails) {
    const auto power = rail_power(rail);
    if (!power) {
      return fail(power.error());
    }
    sum += *power;
  }
  return sum;
}

Result<std::unique_ptr<HwmonMeter>> HwmonMeter::open(const std::filesystem::path& sysfs,
                                                     Seconds now,
                                                     const std::vector<std::string>& rails) {
  const auto chips = sysfs / "class" / "hwmon";
  std::vector<Rail> found;
  for (const auto& chip : list_directory(chips)) {
    find_rails(chips / chip, found);
  }
  auto chosen = choose(std::move(found), rails);
  if (!chosen) {
    return fail(chosen.error());
  }
  const auto first = total_power(*chosen);
  if (!first) {
    return fail(first.error());
  }
  return std::unique_ptr<HwmonMeter>(new HwmonMeter(std::move(*chosen), *first, now));
}

HwmonMeter::HwmonMeter(std::vector<Rail> rails, Watts first, Seconds now)
    : rails_(std::move(rails)), last_(first), total_(now) {
  std::string names;
  Seconds interval;
  for (const auto& rail : rails_) {
    names += (names.empty() ? "" : ", ") + rail.name;
    interval = std::max(
        interval, rail.update_interval > Seconds(0) ? rail.update_interval : kNominalInterval);
  }
  info_ = {"hwmon", interval, kMaxHwmonReadGap,
           fmt::format("what these power rails feed: {}; interpolated between samples", names)};
}

Result<Joules> HwmonMeter::read(Seconds now) {
  const auto elapsed = total_.elapsed(now);
  if (!elapsed) {
    return fail(elapsed.error());
  }
  const auto power = total_power(rails_);
  if (!power) {
    return fail(power.error());
  }
  const Watts before = std::exchange(last_, *power);
  if (*elapsed > kMaxHwmonReadGap) {
    return total_.lose(now,
                       fmt::format("hwmon: the energy of the last {:.1f} s is unknown, because "
                                   "reads must be at most {:.0f} s apart",
                                   elapsed->value(), kMaxHwmonReadGap.value()));
  }
  return total_.add(now, (before + *power) / 2.0 * *elapsed);
}

}  // namespace gelato::energy
