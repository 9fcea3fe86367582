#include "gelato/energy/battery_meter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/energy/sysfs_tree.h"

namespace gelato::energy {
namespace {

using testing::HasSubstr;

constexpr const char* kFolder = "class/power_supply";

void write_battery(const SysfsTree& tree, const std::string& name,
                   std::string_view status = "Discharging") {
  tree.write(name + "/type", "Battery");
  tree.write(name + "/status", status);
}

void write_charger(const SysfsTree& tree, int online) {
  tree.write("AC/type", "Mains");
  tree.write("AC/online", online);
}

TEST(BatteryMeter, IntegratesPowerByTheTrapezoidRule) {
  const SysfsTree tree(kFolder);
  write_battery(tree, "BAT0");
  write_charger(tree, 0);
  tree.write("BAT0/power_now", 10'000'000);
  const auto meter = BatteryMeter::open(tree.root(), Seconds(100)).value();
  EXPECT_EQ(meter->source(), "battery");
  EXPECT_THAT(meter->info().covers, HasSubstr("BAT0 by power_now"));
  tree.write("BAT0/power_now", 14'000'000);
  EXPECT_DOUBLE_EQ(meter->read(Seconds(102)).value().value(), 24.0);
  // Some drivers show the power of a discharging battery as negative.
  tree.write("BAT0/power_now", -10'000'000);
  EXPECT_DOUBLE_EQ(meter->read(Seconds(103)).value().value(), 36.0);
}

TEST(BatteryMeter, MultipliesCurrentAndVoltage) {
  const SysfsTree tree(kFolder);
  write_battery(tree, "battery");
  tree.write("battery/current_now", -500'000);
  tree.write("battery/voltage_now", 4'000'000);
  const auto meter = BatteryMeter::open(tree.root(), Seconds(0)).value();
  EXPECT_DOUBLE_EQ(meter->read(Seconds(5)).value().value(), 10.0);
}

TEST(BatteryMeter, UsesDifferencesOfStoredEnergyWherePowerIsNotTold) {
  const SysfsTree tree(kFolder);
  write_battery(tree, "BAT0");
  tree.write("BAT0/power_now", 0);  // firmware that does not know
  tree.write("BAT0/energy_now", 50'000'000);
  const auto meter = BatteryMeter::open(tree.root(), Seconds(0)).value();
  EXPECT_THAT(meter->info().covers, HasSubstr("energy_now"));
  EXPECT_DOUBLE_EQ(meter->read(Seconds(1)).value().value(), 0.0);
  tree.write("BAT0/energy_now", 49'990'000);  // 10 mWh
  EXPECT_NEAR(meter->read(Seconds(2)).value().value(), 36.0, 1e-6);
}

TEST(BatteryMeter, SumsSeveralBatteriesAndLeavesOutThoseOfPeripherals) {
  const SysfsTree tree(kFolder);
  write_battery(tree, "BAT0", "Not charging");
  tree.write("BAT0/energy_now", 20'000'000);
  write_battery(tree, "BAT1");
  tree.write("BAT1/power_now", 8'000'000);
  write_battery(tree, "hidpp_battery_0");
  tree.write("hidpp_battery_0/scope", "Device");
  tree.write("hidpp_battery_0/power_now", 1'000'000);
  write_battery(tree, "BAT2", "Unknown");
  tree.write("BAT2/present", 0);
  const auto meter = BatteryMeter::open(tree.root(), Seconds(0)).value();
  tree.write("BAT0/energy_now", 19'999'000);  // 3.6 J
  EXPECT_NEAR(meter->read(Seconds(1)).value().value(), 11.6, 1e-6);
}

TEST(BatteryMeter, IsUnavailableOnMains) {
  const SysfsTree tree(kFolder);
  EXPECT_THAT(BatteryMeter::open(tree.root(), Seconds(0)).error().message, HasSubstr("no battery"));
  write_battery(tree, "BAT0", "Full");
  tree.write("BAT0/power_now", 5'000'000);
  EXPECT_EQ(BatteryMeter::open(tree.root(), Seconds(0)).error().code, ErrorCode::kUnavailable);
  write_battery(tree, "BAT0", "Charging");
  EXPECT_THAT(BatteryMeter::open(tree.root(), Seconds(0)).error().message, HasSubstr("charging"));
  // A charger too weak for the load: the battery gives only a part of what is used.
  write_battery(tree, "BAT0", "Discharging");
  write_charger(tree, 1);
  const auto on_mains = BatteryMeter::open(tree.root(), Seconds(0));
  EXPECT_EQ(on_mains.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(on_mains.error().message, HasSubstr("mains (AC)"));
}

TEST(BatteryMeter, LeavesOutTheTimeOnMains) {
  const SysfsTree tree(kFolder);
  write_battery(tree, "BAT0");
  write_charger(tree, 0);
  tree.write("BAT0/power_now", 10'000'000);
  const auto meter = BatteryMeter::open(tree.root(), Seconds(0)).value();
  EXPECT_DOUBLE_EQ(meter->read(Seconds(1)).value().value(), 10.0);
  write_charger(tree, 1);
  EXPECT_EQ(meter->read(Seconds(3)).error().code, ErrorCode::kUnavailable);
  write_charger(tree, 0);
  // The charger was pulled at some time since the last read: this part is not known either.
  EXPECT_EQ(meter->read(Seconds(4)).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(meter->unmeasured(), Seconds(3));
  EXPECT_DOUBLE_EQ(meter->read(Seconds(5)).value().value(), 20.0);
}

TEST(BatteryMeter, ReportsSleepAndRecalibrationAsGaps) {
  const SysfsTree tree(kFolder);
  write_battery(tree, "BAT0");
  tree.write("BAT0/energy_now", 50'000'000);
  const auto meter = BatteryMeter::open(tree.root(), Seconds(0)).value();
  // A monotonic clock stands still during sleep, the battery does not: 18 kJ within one second.
  tree.write("BAT0/energy_now", 45'000'000);
  EXPECT_EQ(meter->read(Seconds(1)).error().code, ErrorCode::kUnavailable);
  // The stored energy rises while discharging.
  tree.write("BAT0/energy_now", 45'100'000);
  EXPECT_EQ(meter->read(Seconds(2)).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(meter->unmeasured(), Seconds(2));
  tree.write("BAT0/energy_now", 45'099'000);
  EXPECT_NEAR(meter->read(Seconds(3)).value().value(), 3.6, 1e-6);
}

TEST(BatteryMeter, ReportsReadsTooFarApartAsAGap) {
  const SysfsTree tree(kFolder);
  write_battery(tree, "BAT0");
  tree.write("BAT0/power_now", 10'000'000);
  const auto meter = BatteryMeter::open(tree.root(), Seconds(0)).value();
  EXPECT_EQ(meter->read(Seconds(61)).error().code, ErrorCode::kUnavailable);
  EXPECT_DOUBLE_EQ(meter->read(Seconds(62)).value().value(), 10.0);
}

TEST(BatteryMeter, RefusesGarbage) {
  for (const char* garbage : {"", "full", "10.5", "9223372036854775808", "900000000"}) {
    const SysfsTree tree(kFolder);
    write_battery(tree, "BAT0");
    tree.write("BAT0/power_now", 10'000'000);
    const auto meter = BatteryMeter::open(tree.root(), Seconds(0)).value();
    tree.write("BAT0/power_now", garbage);
    EXPECT_EQ(meter->read(Seconds(1)).error().code, ErrorCode::kCorrupt) << garbage;
    EXPECT_EQ(BatteryMeter::open(tree.root(), Seconds(0)).error().code, ErrorCode::kCorrupt)
        << garbage;
  }
}

TEST(BatteryMeter, SaysThatABatteryWithoutGaugeIsNoUse) {
  const SysfsTree tree(kFolder);
  write_battery(tree, "BAT0");
  const auto meter = BatteryMeter::open(tree.root(), Seconds(0));
  EXPECT_EQ(meter.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(meter.error().message, HasSubstr("energy_now"));
}

TEST(BatteryMeter, SurvivesABatteryThatIsPulledOut) {
  const SysfsTree tree(kFolder);
  write_battery(tree, "BAT0");
  tree.write("BAT0/power_now", 10'000'000);
  const auto meter = BatteryMeter::open(tree.root(), Seconds(0)).value();
  tree.remove("BAT0");
  EXPECT_EQ(meter->read(Seconds(1)).error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace gelato::energy
