// CPU energy from the processor's own counters (RAPL), as Linux shows them under
// /sys/class/powercap (kernel documentation: power/powercap/powercap.rst).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "gelato/energy/energy_meter.h"
#include "gelato/energy/meter_total.h"

namespace gelato::energy {

// No processor package draws this much (the largest server parts are near 500 W). It turns the time
// between two reads into the most that a counter can have advanced, and so tells one wrap from
// several, and a wrap from a counter that was reset during sleep.
inline constexpr Watts kMaxRaplPower = Watts(1000.0);

// Sums every package (`intel-rapl:N` named package-*) and the memory next to it (its subdomain
// `dram`). The subdomains core and uncore are part of their package, psys contains the packages,
// and intel-rapl-mmio repeats them: none of these is counted, so nothing is counted twice. AMD
// processors appear under the same names.
class RaplMeter final : public EnergyMeter {
 public:
  // Takes the first reading; energy counts from there. `sysfs` is the root, normally /sys.
  // Errors: kUnavailable without RAPL; kPermissionDenied with the command that grants access
  // (energy_uj is readable by root only since CVE-2020-8694); kCorrupt; kIo.
  static Result<std::unique_ptr<RaplMeter>> open(const std::filesystem::path& sysfs, Seconds now);

  Result<Joules> read(Seconds now) override;
  [[nodiscard]] Seconds unmeasured() const override { return total_.unmeasured(); }
  [[nodiscard]] const MeterInfo& info() const override { return info_; }

 private:
  struct Domain {
    std::string name;  // package-0, package-0/dram
    std::filesystem::path energy_file;
    std::int64_t range_uj = 0;  // the counter returns to zero after this value
    std::int64_t last_uj = 0;
  };

  RaplMeter(std::vector<Domain> domains, MeterInfo info, Seconds now);
  static Result<std::vector<Domain>> find_domains(const std::filesystem::path& powercap);
  static Result<Domain> open_domain(const std::filesystem::path& zone, std::string name);

  std::vector<Domain> domains_;
  MeterInfo info_;
  MeterTotal total_;
};

}  // namespace gelato::energy
