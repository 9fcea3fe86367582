// --energy and --pace: where joules come from, whose speed drafting has, and how a result says so.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "gelato/base/clock.h"
#include "gelato/base/result.h"
#include "gelato/cli11_fwd.h"
#include "gelato/device/energy_account.h"
#include "gelato/device/paced_drafter.h"
#include "gelato/energy/meters.h"

namespace gelato::cli {

// The profile that `gelato doctor --measure` writes.
inline constexpr const char* kThisMachine = "this-machine";

// Where this user's own profile is: $XDG_CONFIG_HOME/gelato/profiles/this-machine.toml, below
// ~/.config without that variable. Empty where neither it nor HOME is set.
std::filesystem::path own_profile_path();

// A profile by its name (one of those that ship with Gelato, or kThisMachine) or its path.
// Errors: those of energy::find_profile(); kNotFound if nobody has measured this machine.
Result<energy::DeviceProfile> open_profile(const std::string& name);

// What --energy auto takes: the first meter that works, in probe_meters()'s order; null if none
// does.
std::unique_ptr<energy::EnergyMeter> best_meter(const energy::MeterPlaces& places, Seconds now);

struct EnergyFlags {
  std::string energy = "auto";
  std::string split;  // profile that divides a measured total
  std::string pace;
  std::string sysfs = "/sys";

  void add_to(CLI::App& app);

  // Null where nothing is to be metered, or with auto where nothing can be.
  // Errors: kInvalidArgument for a source that there is not; those of open_meter() and
  // open_profile().
  [[nodiscard]] Result<std::unique_ptr<device::EnergyAccount>> open(const Clock& clock) const;
  // Null without --pace. Errors: those of open_profile().
  [[nodiscard]] Result<std::unique_ptr<device::Pacing>> open_pacing() const;
};

// The energy keys of docs/json.md for a generation of `tokens` tokens; null each without `account`.
nlohmann::json energy_json(const device::EnergyAccount* account, std::uint64_t tokens);
// The key `pace`.
nlohmann::json pace_json(const device::Pacing* pacing);

// "energy 1.93 J, 15.1 mJ/token (model:phone), ...", a line; nothing without `account`.
std::string energy_text(const device::EnergyAccount* account, std::uint64_t tokens);
// What --pace did, a line; nothing without it.
std::string pace_text(const device::Pacing* pacing);

}  // namespace gelato::cli
