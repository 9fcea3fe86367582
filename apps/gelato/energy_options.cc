#include "gelato/energy_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "gelato/model_options.h"

namespace gelato::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kModel = "model:";

const char* environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody sets variables
  return value != nullptr && *value != '\0' ? value : nullptr;
}

// The folder of the profiles that ship with Gelato; one that does not exist if it is not found.
fs::path bundled_profiles() {
  for (const char* below : {"assets/profiles", "share/gelato/profiles"}) {
    if (std::string folder = find_upwards(below); !folder.empty()) {
      return folder;
    }
  }
  return "share/gelato/profiles";
}

// What a measured total is divided by: the profile asked for, else this machine's if it has one.
Result<std::optional<energy::DeviceProfile>> split_profile(const std::string& name) {
  std::error_code ignored;
  if (name.empty() && !fs::exists(own_profile_path(), ignored)) {
    return std::nullopt;
  }
  auto profile = open_profile(name.empty() ? kThisMachine : name);
  if (!profile) {
    return fail(profile.error());
  }
  return std::optional(std::move(*profile));
}

}  // namespace

fs::path own_profile_path() {
  const fs::path file = fs::path("gelato") / "profiles" / (std::string(kThisMachine) + ".toml");
  if (const char* config = environment("XDG_CONFIG_HOME")) {
    return config / file;
  }
  const char* home = environment("HOME");
  return home != nullptr ? fs::path(home) / ".config" / file : fs::path();
}

Result<energy::DeviceProfile> open_profile(const std::string& name) {
  if (name != kThisMachine) {
    return energy::find_profile(name, bundled_profiles());
  }
  const fs::path own = own_profile_path();
  std::error_code ignored;
  if (own.empty() || !fs::exists(own, ignored)) {
    return fail(ErrorCode::kNotFound,
                "nobody has measured this machine's profile; `gelato doctor --measure` does it");
  }
  return energy::load_profile(own);
}

std::unique_ptr<energy::EnergyMeter> best_meter(const energy::MeterPlaces& places, Seconds now) {
  for (const energy::MeterProbe& probe : energy::probe_meters(places, now)) {
    if (!probe.info) {
      continue;
    }
    if (auto meter = energy::open_meter(probe.source, places, now)) {
      return std::move(*meter);
    }
  }
  return nullptr;
}

void EnergyFlags::add_to(CLI::App& app) {
  app.add_option("--energy", energy,
                 "Where joules come from: battery, hwmon, rapl, nvml (measured), model:PROFILE, "
                 "none, or auto (default): the first of these meters that works here, else none")
      ->type_name("SOURCE");
  app.add_option("--energy-split", split,
                 "Profile that divides a measured total among the phases (default: this-machine "
                 "if it was measured, else by time)")
      ->type_name("PROFILE");
  app.add_option("--pace", pace,
                 "Draft at the speed of this device profile: a name (paper, phone, ...) or a file")
      ->type_name("PROFILE");
  app.add_option("--sysfs", sysfs, "Where the sensors are (default: /sys)")->type_name("FOLDER");
}

Result<std::unique_ptr<device::EnergyAccount>> EnergyFlags::open(const Clock& clock) const {
  if (energy == "none") {
    return nullptr;
  }
  if (energy.starts_with(kModel)) {
    auto profile = open_profile(energy.substr(kModel.size()));
    if (!profile) {
      return fail(profile.error());
    }
    return std::make_unique<device::EnergyAccount>(
        device::EnergyAccount::modelled(std::move(*profile)));
  }
  const energy::MeterPlaces places{.sysfs = sysfs, .hwmon_rails = {}};
  std::unique_ptr<energy::EnergyMeter> meter;
  if (energy == "auto") {
    meter = best_meter(places, clock.now());
    if (!meter) {
      return nullptr;
    }
  } else {
    auto opened = energy::open_meter(energy, places, clock.now());
    if (!opened) {
      return opened.error().code == ErrorCode::kInvalidArgument
                 ? fail(ErrorCode::kInvalidArgument,
                        fmt::format("--energy {:.60}: there is no such source; use auto, none, "
                                    "battery, hwmon, rapl, nvml or model:PROFILE",
                                    energy))
                 : fail(opened.error());
    }
    meter = std::move(*opened);
  }
  auto profile = split_profile(split);
  if (!profile) {
    return fail(profile.error());
  }
  return std::make_unique<device::EnergyAccount>(
      device::EnergyAccount::measured(std::move(meter), std::move(*profile)));
}

Result<std::unique_ptr<device::Pacing>> EnergyFlags::open_pacing() const {
  if (pace.empty()) {
    return nullptr;
  }
  auto profile = open_profile(pace);
  if (!profile) {
    return fail(profile.error());
  }
  auto pacing = std::make_unique<device::Pacing>();
  pacing->profile = std::move(*profile);
  return pacing;
}

nlohmann::json energy_json(const device::EnergyAccount* account, std::uint64_t tokens) {
  nlohmann::json out;
  for (const char* key : {"energy_j", "joules_per_token", "energy_source", "energy_basis",
                          "energy_split_j", "energy_split_source", "energy_unmeasured_s",
                          "paper_accounting_j", "paper_accounting_j_per_token"}) {
    out[key] = nullptr;
  }
  if (account == nullptr) {
    return out;
  }
  const energy::EnergyLedger& ledger = account->ledger();
  const energy::PhaseJoules& split = ledger.split();
  const auto per_token = [&](Joules energy) {
    return tokens > 0 ? nlohmann::json(energy.value() / static_cast<double>(tokens))
                      : nlohmann::json();
  };
  out["energy_j"] = ledger.total().value();
  out["joules_per_token"] = per_token(ledger.total());
  out["energy_source"] = account->source();
  out["energy_basis"] = energy::to_string(ledger.basis());
  out["energy_split_j"] = {{"draft", split.draft.value()},
                           {"tx", split.tx.value()},
                           {"rx", split.rx.value()},
                           {"wait", split.wait.value()}};
  out["energy_split_source"] = account->split_source();
  out["energy_unmeasured_s"] = account->unmeasured().value();
  out["paper_accounting_j"] = ledger.paper_accounting().value();
  out["paper_accounting_j_per_token"] = per_token(ledger.paper_accounting());
  return out;
}

nlohmann::json pace_json(const device::Pacing* pacing) {
  if (pacing == nullptr) {
    return nullptr;
  }
  return {{"profile", pacing->profile.name}, {"tokens", pacing->tokens}, {"late", pacing->late}};
}

std::string energy_text(const device::EnergyAccount* account, std::uint64_t tokens) {
  if (account == nullptr) {
    return {};
  }
  const energy::EnergyLedger& ledger = account->ledger();
  const energy::PhaseJoules& split = ledger.split();
  const auto per_token = [&](Joules energy) {
    return tokens > 0 ? 1e3 * energy.value() / static_cast<double>(tokens) : 0.0;
  };
  std::string text = fmt::format(
      "energy {:.3g} J, {:.3g} mJ/token ({}): draft {:.3g}, tx {:.3g}, rx {:.3g}, wait {:.3g} J",
      ledger.total().value(), per_token(ledger.total()), account->source(), split.draft.value(),
      split.tx.value(), split.rx.value(), split.wait.value());
  if (account->split_source() != account->source()) {
    text += fmt::format(" (divided by {})", account->split_source());
  }
  text += fmt::format("; paper accounting (draft + tx) {:.3g} J, {:.3g} mJ/token\n",
                      ledger.paper_accounting().value(), per_token(ledger.paper_accounting()));
  if (account->unmeasured() > Seconds(0)) {
    text += fmt::format("the meter had no reading for {:.2f} s: the energy is a lower bound\n",
                        account->unmeasured().value());
  }
  return text;
}

std::string pace_text(const device::Pacing* pacing) {
  if (pacing == nullptr) {
    return {};
  }
  return fmt::format(
      "drafting was paced to the profile {} ({:.1f} ms a token at an empty context); {} of {} "
      "draft tokens took longer here\n",
      pacing->profile.name, pacing->profile.draft_token.value() * 1e3, pacing->late,
      pacing->tokens);
}

}  // namespace gelato::cli
