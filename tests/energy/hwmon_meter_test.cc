#include "gelato/energy/hwmon_meter.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/energy/sysfs_tree.h"

namespace gelato::energy {
namespace {

using testing::HasSubstr;

constexpr const char* kFolder = "class/hwmon";

// The INA3221 of a Jetson Orin Nano: the input rail and two of the rails behind it.
void write_jetson(const SysfsTree& tree) {
  tree.write("hwmon1/name", "ina3221");
  tree.write("hwmon1/update_interval", 8);
  const struct {
    const char* label;
    int millivolts;
    int milliamperes;
  } rails[] = {{"VDD_IN", 5000, 1400}, {"VDD_CPU_GPU_CV", 5000, 600}, {"VDD_SOC", 5000, 300}};
  for (int n = 1; n <= 3; ++n) {
    tree.write(fmt::format("hwmon1/in{}_label", n), rails[n - 1].label);
    tree.write(fmt::format("hwmon1/in{}_input", n), rails[n - 1].millivolts);
    tree.write(fmt::format("hwmon1/curr{}_input", n), rails[n - 1].milliamperes);
  }
  // Shunt voltage and sum of currents: a pair with the same number that is no rail.
  tree.write("hwmon1/in4_input", 7000);
  tree.write("hwmon1/curr4_input", 2300);
}

TEST(HwmonMeter, UsesTheInputRailAloneWhereThereIsOne) {
  const SysfsTree tree(kFolder);
  write_jetson(tree);
  const auto meter = HwmonMeter::open(tree.root(), Seconds(0)).value();
  EXPECT_EQ(meter->source(), "hwmon");
  EXPECT_THAT(meter->info().covers, HasSubstr(": ina3221/VDD_IN;"));
  EXPECT_DOUBLE_EQ(meter->info().sampling_interval.value(), 0.008);
  tree.write("hwmon1/curr1_input", 1800);
  EXPECT_DOUBLE_EQ(meter->read(Seconds(0.5)).value().value(), 4.0);  // 7 W to 9 W
}

TEST(HwmonMeter, SumsTheRailsOfInaChipsOtherwise) {
  const SysfsTree tree(kFolder);
  write_jetson(tree);
  tree.write("hwmon1/in1_label", "VDD_GPU_SOC");
  tree.write("hwmon1/in3_enable", 0);
  tree.write("hwmon2/name", "ina219");
  tree.write("hwmon2/in0_input", 12);
  tree.write("hwmon2/in1_input", 5000);
  tree.write("hwmon2/curr1_input", 200);
  tree.write("hwmon2/power1_input", 1'000'000);
  const auto meter = HwmonMeter::open(tree.root(), Seconds(0)).value();
  EXPECT_THAT(meter->info().covers,
              HasSubstr("ina3221/VDD_GPU_SOC, ina3221/VDD_CPU_GPU_CV, ina219/power1;"));
  EXPECT_DOUBLE_EQ(meter->read(Seconds(1)).value().value(), 7.0 + 3.0 + 1.0);
}

TEST(HwmonMeter, DoesNotGuessWhichOtherSensorsToSum) {
  const SysfsTree tree(kFolder);
  EXPECT_THAT(HwmonMeter::open(tree.root(), Seconds(0)).error().message,
              HasSubstr("no power sensor"));
  tree.write("hwmon0/name", "amdgpu");
  tree.write("hwmon0/power1_label", "PPT");
  tree.write("hwmon0/power1_input", 15'000'000);
  tree.write("hwmon3/name", "BAT0");
  tree.write("hwmon3/device/type", "Battery");
  tree.write("hwmon3/power1_input", 9'000'000);
  const auto refused = HwmonMeter::open(tree.root(), Seconds(0));
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(refused.error().message, HasSubstr("name the ones to sum: amdgpu/PPT"));

  const auto named = HwmonMeter::open(tree.root(), Seconds(0), {"amdgpu/PPT"}).value();
  EXPECT_DOUBLE_EQ(named->read(Seconds(2)).value().value(), 30.0);

  const auto unknown = HwmonMeter::open(tree.root(), Seconds(0), {"BAT0/power1"});
  EXPECT_EQ(unknown.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(unknown.error().message, HasSubstr("there are: amdgpu/PPT"));
}

TEST(HwmonMeter, TakesTheInputOfAPowerSupplyNotItsOutputs) {
  const SysfsTree tree(kFolder);
  tree.write("hwmon0/name", "pmbus");
  tree.write("hwmon0/power1_label", "pin");
  tree.write("hwmon0/power1_input", 100'000'000);
  tree.write("hwmon0/power2_label", "pout1");
  tree.write("hwmon0/power2_input", 90'000'000);
  const auto meter = HwmonMeter::open(tree.root(), Seconds(0)).value();
  EXPECT_DOUBLE_EQ(meter->read(Seconds(1)).value().value(), 100.0);
}

TEST(HwmonMeter, CountsANegativeReadingAsZero) {
  const SysfsTree tree(kFolder);
  write_jetson(tree);
  tree.write("hwmon1/curr1_input", -4);
  const auto meter = HwmonMeter::open(tree.root(), Seconds(0)).value();
  EXPECT_EQ(meter->read(Seconds(1)).value(), Joules(0));
}

TEST(HwmonMeter, ReportsReadsTooFarApartAsAGap) {
  const SysfsTree tree(kFolder);
  write_jetson(tree);
  const auto meter = HwmonMeter::open(tree.root(), Seconds(0)).value();
  EXPECT_DOUBLE_EQ(meter->read(Seconds(1)).value().value(), 7.0);
  EXPECT_EQ(meter->read(Seconds(7)).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(meter->unmeasured(), Seconds(6));
  EXPECT_DOUBLE_EQ(meter->read(Seconds(8)).value().value(), 14.0);
}

TEST(HwmonMeter, RefusesGarbageAndSurvivesASensorThatVanishes) {
  const SysfsTree tree(kFolder);
  write_jetson(tree);
  const auto meter = HwmonMeter::open(tree.root(), Seconds(0)).value();
  for (const char* garbage : {"", "n/a", "3.3", "9223372036854775807"}) {
    tree.write("hwmon1/curr1_input", garbage);
    EXPECT_EQ(meter->read(Seconds(1)).error().code, ErrorCode::kCorrupt) << garbage;
  }
  tree.remove("hwmon1");
  EXPECT_EQ(meter->read(Seconds(1)).error().code, ErrorCode::kUnavailable);
  write_jetson(tree);
  EXPECT_DOUBLE_EQ(meter->read(Seconds(2)).value().value(), 14.0);
}

}  // namespace
}  // namespace gelato::energy
