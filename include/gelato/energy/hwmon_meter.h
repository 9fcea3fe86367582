// Energy from the power sensors of a board, as Linux shows them under /sys/class/hwmon (kernel
// documentation: hwmon/sysfs-interface.rst, hwmon/ina3221.rst, hwmon/ina2xx.rst).
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "gelato/energy/energy_meter.h"
#include "gelato/energy/meter_total.h"

namespace gelato::energy {

// Between two samples the power is taken to change linearly; over more than this the result would
// be a guess. A round of speculative decoding lasts well under a second.
inline constexpr Seconds kMaxHwmonReadGap = Seconds(5.0);
// A rail above this is a broken sensor, not a device.
inline constexpr Watts kMaxRailPower = Watts(10000.0);

// A rail is powerN_input (microwatts) or, for the INA chips that have none, inN_input (millivolts)
// x currN_input (milliamperes). Its name is CHIP/LABEL, or CHIP/powerN, CHIP/inN without a label.
// A rail that reads negative (offset of an idle sensor, current flowing back) counts as zero.
//
// Rails may contain one another, so by default only these are used: the rails whose label says that
// they are the input of everything (VDD_IN and POM_5V_IN on Jetson modules, `pin` and `power total`
// on power supplies); if there are none, all rails of INA chips. Other sensors (a GPU's, say) must
// be named.
class HwmonMeter final : public EnergyMeter {
 public:
  // `rails`: the names of the rails to sum; empty for the default choice.
  // Errors: kUnavailable if no rail qualifies, with the names of those there are; kNotFound if a
  // named rail does not exist, likewise; kPermissionDenied; kCorrupt; kIo.
  static Result<std::unique_ptr<HwmonMeter>> open(const std::filesystem::path& sysfs, Seconds now,
                                                  const std::vector<std::string>& rails = {});

  Result<Joules> read(Seconds now) override;
  [[nodiscard]] Seconds unmeasured() const override { return total_.unmeasured(); }
  [[nodiscard]] const MeterInfo& info() const override { return info_; }

 private:
  struct Rail {
    std::string name;
    std::string label;  // empty without one
    bool ina = false;
    Seconds update_interval;      // 0: not published
    std::filesystem::path power;  // empty: use the other two
    std::filesystem::path millivolts;
    std::filesystem::path milliamperes;
  };

  HwmonMeter(std::vector<Rail> rails, Watts first, Seconds now);
  static void find_rails(const std::filesystem::path& chip, std::vector<Rail>& found);
  static Result<std::vector<Rail>> choose(std::vector<Rail> found,
                                          const std::vector<std::string>& wanted);
  static Result<Watts> rail_power(const Rail& rail);
  static Result<Watts> total_power(const std::vector<Rail>& rails);

  std::vector<Rail> rails_;
  MeterInfo info_;
  Watts last_;
  MeterTotal total_;
};

}  // namespace gelato::energy
