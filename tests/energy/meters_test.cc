#include "gelato/energy/meters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/energy/sysfs_tree.h"

namespace gelato::energy {
namespace {

using testing::HasSubstr;

TEST(ProbeMeters, ListsWhatWorksAndWhyTheRestDoesNot) {
  const SysfsTree tree;
  tree.write("class/powercap/intel-rapl:0/name", "package-0");
  tree.write("class/powercap/intel-rapl:0/energy_uj", 12);
  tree.write("class/powercap/intel-rapl:0/max_energy_range_uj", 262143328850);
  tree.write("class/power_supply/BAT0/type", "Battery");
  tree.write("class/power_supply/BAT0/status", "Charging");
  const auto probes = probe_meters({tree.root(), "no-such-library.so", {}}, Seconds(0));

  ASSERT_EQ(probes.size(), 4U);
  EXPECT_EQ(probes[0].source, "battery");
  EXPECT_THAT(probes[0].problem.value().message, HasSubstr("charging"));
  EXPECT_EQ(probes[1].source, "hwmon");
  EXPECT_EQ(probes[1].problem.value().code, ErrorCode::kUnavailable);
  EXPECT_EQ(probes[2].source, "rapl");
  EXPECT_EQ(probes[2].info.value().source, "rapl");
  EXPECT_FALSE(probes[2].problem.has_value());
  EXPECT_EQ(probes[3].source, "nvml");
  EXPECT_FALSE(probes[3].info.has_value());
  EXPECT_THAT(probes[3].problem.value().message, HasSubstr("no-such-library.so"));
}

TEST(OpenMeter, OpensByNameAndNamesTheChoices) {
  const SysfsTree tree;
  tree.write("class/hwmon/hwmon0/name", "amdgpu");
  tree.write("class/hwmon/hwmon0/power1_input", 2'000'000);
  const MeterPlaces places{tree.root(), "none.so", {"amdgpu/power1"}};
  const auto meter = open_meter("hwmon", places, Seconds(0)).value();
  EXPECT_DOUBLE_EQ(meter->read(Seconds(1)).value().value(), 2.0);

  const auto unknown = open_meter("wattmeter", places, Seconds(0));
  EXPECT_EQ(unknown.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(unknown.error().message, HasSubstr("battery, hwmon, rapl or nvml"));
}

}  // namespace
}  // namespace gelato::energy
