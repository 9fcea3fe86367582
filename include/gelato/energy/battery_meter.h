// Energy of the whole device from the battery's fuel gauge, as Linux shows it under
// /sys/class/power_supply (kernel documentation: ABI/testing/sysfs-class-power).
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gelato/energy/energy_meter.h"
#include "gelato/energy/meter_total.h"

namespace gelato::energy {

// More than any device that runs on a battery draws (USB-C delivers at most 240 W). A fall of the
// stored energy beyond this, plus what a slow gauge may report late (kGaugeDelay), is not use but a
// sleep or a recalibration.
inline constexpr Watts kMaxBatteryPower = Watts(300.0);
inline constexpr Seconds kGaugeDelay = Seconds(30.0);
// Gauges refresh every 0.3 to 30 s; a trapezoid over more than two refreshes says nothing.
inline constexpr Seconds kMaxBatteryReadGap = Seconds(60.0);

// Sums all system batteries. For each it uses, in this order: power_now; current_now x voltage_now
// (both integrated by the trapezoid rule); differences of energy_now. Measures only while the
// device runs on its batteries: with a charger attached a gauge shows what the battery takes or
// gives, not what the device uses.
class BatteryMeter final : public EnergyMeter {
 public:
  // Errors: kUnavailable without a battery or on mains; kPermissionDenied; kCorrupt; kIo.
  static Result<std::unique_ptr<BatteryMeter>> open(const std::filesystem::path& sysfs,
                                                    Seconds now);

  Result<Joules> read(Seconds now) override;
  [[nodiscard]] Seconds unmeasured() const override { return total_.unmeasured(); }
  [[nodiscard]] const MeterInfo& info() const override { return info_; }

 private:
  enum class Gauge { kPower, kCurrentVoltage, kStoredEnergy };
  struct Battery {
    std::filesystem::path directory;
    Gauge gauge = Gauge::kPower;
  };
  struct Sample {
    Watts power;    // of the batteries that report power
    Joules stored;  // in the batteries that report only their charge
  };

  BatteryMeter(std::filesystem::path supplies, std::vector<Battery> batteries, Sample first,
               Seconds now);
  static Result<Gauge> choose_gauge(const std::filesystem::path& battery);
  static Result<> check_discharging(const std::filesystem::path& supplies,
                                    const std::vector<Battery>& batteries);
  static Result<Sample> sample(const std::vector<Battery>& batteries);

  std::filesystem::path supplies_;
  std::vector<Battery> batteries_;
  MeterInfo info_;
  std::optional<Sample> last_;  // empty while a charger was seen
  MeterTotal total_;
};

}  // namespace gelato::energy
