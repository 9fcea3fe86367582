#include "gelato/energy/rapl_meter.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

#include "read_file.h"

namespace gelato::energy {
namespace {

// The processor updates the counters about once a millisecond (Intel SDM vol. 3B, RAPL).
constexpr Seconds kUpdateInterval = Seconds(0.001);
// Two reads within one update see the energy of a whole update or none; a tenth of a second of
// power is far above that and far below a wrap.
constexpr Seconds kUpdateSlack = Seconds(0.1);
// The smallest counters hold 65 kJ. One that wraps within seconds is garbage.
constexpr std::int64_t kMinRangeUj = 10'000'000'000;

constexpr Joules microjoules(std::int64_t uj) { return Joules(static_cast<double>(uj) * 1e-6); }

// What one domain used between two readings. Nothing if it cannot be told: so much time passed that
// the counter may have gone round more than once, or the step is too large for the time, so the
// counter was reset.
std::optional<Joules> advance(std::int64_t from, std::int64_t to, std::int64_t range,
                              Seconds elapsed) {
  const Joules most = kMaxRaplPower * (elapsed + kUpdateSlack);
  const std::int64_t step = to >= from ? to - from : range - from + to;
  if (most >= microjoules(range) || microjoules(step) > most) {
    return std::nullopt;
  }
  return microjoules(step);
}

// Whether `name` is PREFIX followed by digits.
bool is_numbered(std::string_view name, std::string_view prefix) {
  if (name.substr(0, prefix.size()) != prefix || name.size() == prefix.size()) {
    return false;
  }
  name.remove_prefix(prefix.size());
  return name.find_first_not_of("0123456789") == std::string_view::npos;
}

Result<std::int64_t> read_counter(const std::filesystem::path& file) {
  auto value = read_natural(file);
  if (!value && value.error().code == ErrorCode::kPermissionDenied) {
    return fail(ErrorCode::kPermissionDenied,
                fmt::format("{0} may only be read by root: run `sudo chmod a+r {0}` (until the "
                            "next boot), or run as root",
                            file.string()));
  }
  return value;
}

Result<std::int64_t> read_counter_within(const std::filesystem::path& file, std::int64_t range) {
  auto value = read_counter(file);
  if (value && *value > range) {
    return fail(ErrorCode::kCorrupt, fmt::format("{} is {} uJ, beyond the counter's range of {} uJ",
                                                 file.string(), *value, range));
  }
  return value;
}

std::string covers(const std::string& names) {
  return fmt::format(
      "the processor and, where it counts it, memory ({}), all processes; not the GPU board, the "
      "radio, the screen or the power supply",
      names);
}

}  // namespace

Result<RaplMeter::Domain> RaplMeter::open_domain(const std::filesystem::path& zone,
                                                 std::string name) {
  const auto range = read_natural(zone / "max_energy_range_uj");
  if (!range) {
    return fail(range.error());
  }
  if (*range < kMinRangeUj) {
    return fail(ErrorCode::kCorrupt, fmt::format("{} is {} uJ, too small for an energy counter",
                                                 (zone / "max_energy_range_uj").string(), *range));
  }
  auto file = zone / "energy_uj";
  const auto now_uj = read_counter_within(file, *range);
  if (!now_uj) {
    return fail(now_uj.error());
  }
  return Domain{std::move(name), std::move(file), *range, *now_uj};
}

Result<std::vector<RaplMeter::Domain>> RaplMeter::find_domains(
    const std::filesystem::path& powercap) {
  std::vector<Domain> domains;
  const auto entries = list_directory(powercap);
  const auto add = [&](const std::string& zone, std::string name) -> Result<> {
    auto domain = open_domain(powercap / zone, std::move(name));
    if (!domain) {
      return fail(domain.error());
    }
    domains.push_back(std::move(*domain));
    return {};
  };
  for (const auto& zone : entries) {
    const auto name = is_numbered(zone, "intel-rapl:") ? read_attribute(powercap / zone / "name")
                                                       : Result<std::string>();
    if (!name || !name->starts_with("package-")) {
      continue;
    }
    if (const auto added = add(zone, *name); !added) {
      return fail(added.error());
    }
    for (const auto& sub : entries) {
      const bool dram = is_numbered(sub, zone + ":") &&
                        read_attribute(powercap / sub / "name").value_or("") == "dram";
      if (!dram) {
        continue;
      }
      if (const auto added = add(sub, *name + "/dram"); !added) {
        return fail(added.error());
      }
    }
  }
  return domains;
}

Result<std::unique_ptr<RaplMeter>> RaplMeter::open(const std::filesystem::path& sysfs,
                                                   Seconds now) {
  const auto powercap = sysfs / "class" / "powercap";
  auto domains = find_domains(powercap);
  if (!domains) {
    return fail(domains.error());
  }
  if (domains->empty()) {
    return fail(ErrorCode::kUnavailable,
                fmt::format("there is no RAPL package under {}: not an Intel or AMD processor, a "
                            "virtual machine, or the module intel_rapl_msr is not loaded",
                            powercap.string()));
  }
  std::string names;
  std::int64_t range = std::numeric_limits<std::int64_t>::max();
  for (const auto& domain : *domains) {
    names += (names.empty() ? "" : ", ") + domain.name;
    range = std::min(range, domain.range_uj);
  }
  MeterInfo info{"rapl", kUpdateInterval, microjoules(range) / kMaxRaplPower - kUpdateSlack,
                 covers(names)};
  return std::unique_ptr<RaplMeter>(new RaplMeter(std::move(*domains), std::move(info), now));
}

RaplMeter::RaplMeter(std::vector<Domain> domains, MeterInfo info, Seconds now)
    : domains_(std::move(domains)), info_(std::move(info)), total_(now) {}

Result<Joules> RaplMeter::read(Seconds now) {
  const auto elapsed = total_.elapsed(now);
  if (!elapsed) {
    return fail(elapsed.error());
  }
  std::vector<std::int64_t> values;
  for (const auto& domain : domains_) {
    const auto value = read_counter_within(domain.energy_file, domain.range_uj);
    if (!value) {
      return fail(value.error());
    }
    values.push_back(*value);
  }
  // All readings are good: from here on every counter moves to its new value.
  std::optional<Joules> used = Joules(0);
  for (std::size_t i = 0; i < domains_.size(); ++i) {
    auto& domain = domains_[i];
    const auto part = advance(domain.last_uj, values[i], domain.range_uj, *elapsed);
    domain.last_uj = values[i];
    used = used && part ? std::optional(*used + *part) : std::nullopt;
  }
  if (!used) {
    return total_.lose(
        now, fmt::format("rapl: the energy of the last {:.1f} s is unknown, because a counter was "
                         "reset (sleep) or may have wrapped more than once; read at least every "
                         "{:.0f} s",
                         elapsed->value(), info_.max_read_gap.value()));
  }
  return total_.add(now, *used);
}

}  // namespace gelato::energy
