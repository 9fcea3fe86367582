#include "gelato/energy/rapl_meter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <string_view>

#include "tests/energy/sysfs_tree.h"

namespace gelato::energy {
namespace {

using testing::HasSubstr;

constexpr const char* kFolder = "class/powercap";
constexpr long long kRange = 262143328850;  // as on current Intel processors: 262 kJ

void write_zone(const SysfsTree& tree, const std::string& zone, std::string_view name,
                long long energy_uj, long long range_uj = kRange) {
  tree.write(zone + "/name", name);
  tree.write(zone + "/energy_uj", energy_uj);
  tree.write(zone + "/max_energy_range_uj", range_uj);
}

// Two sockets with all the zones of a server: everything that could be counted twice is there.
void write_server(const SysfsTree& tree) {
  write_zone(tree, "intel-rapl:0", "package-0", 1'000'000);
  write_zone(tree, "intel-rapl:0:0", "core", 600'000);
  write_zone(tree, "intel-rapl:0:1", "dram", 100'000, 65712999613);
  write_zone(tree, "intel-rapl:1", "package-1", 2'000'000);
  write_zone(tree, "intel-rapl:1:0", "dram", 200'000, 65712999613);
  write_zone(tree, "intel-rapl:2", "psys", 9'000'000);
  write_zone(tree, "intel-rapl-mmio:0", "package-0", 1'000'000);
  tree.write("intel-rapl/enabled", 1);
}

void set_energy(const SysfsTree& tree, const std::string& zone, long long energy_uj) {
  tree.write(zone + "/energy_uj", energy_uj);
}

TEST(RaplMeter, SumsPackagesAndMemoryAndNothingTwice) {
  const SysfsTree tree(kFolder);
  write_server(tree);
  const auto meter = RaplMeter::open(tree.root(), Seconds(10)).value();
  EXPECT_EQ(meter->source(), "rapl");
  EXPECT_THAT(meter->info().covers,
              HasSubstr("package-0, package-0/dram, package-1, package-1/dram"));
  EXPECT_EQ(meter->read(Seconds(10)).value(), Joules(0));

  set_energy(tree, "intel-rapl:0", 1'000'000 + 5'000'000);
  set_energy(tree, "intel-rapl:0:0", 4'000'000);
  set_energy(tree, "intel-rapl:0:1", 100'000 + 300'000);
  set_energy(tree, "intel-rapl:1", 2'000'000 + 2'000'000);
  set_energy(tree, "intel-rapl:1:0", 200'000 + 200'000);
  set_energy(tree, "intel-rapl:2", 30'000'000);
  set_energy(tree, "intel-rapl-mmio:0", 6'000'000);
  EXPECT_DOUBLE_EQ(meter->read(Seconds(11)).value().value(), 7.5);
  // The total stays where it is while the counters do.
  EXPECT_DOUBLE_EQ(meter->read(Seconds(12)).value().value(), 7.5);
  EXPECT_EQ(meter->unmeasured(), Seconds(0));
}

TEST(RaplMeter, FollowsAWrap) {
  const SysfsTree tree(kFolder);
  write_zone(tree, "intel-rapl:0", "package-0", kRange - 1'000'000);
  const auto meter = RaplMeter::open(tree.root(), Seconds(0)).value();
  set_energy(tree, "intel-rapl:0", 3'000'000);
  EXPECT_DOUBLE_EQ(meter->read(Seconds(1)).value().value(), 4.0);
}

TEST(RaplMeter, ReportsAGapWhenTheCounterMayHaveWrappedMoreThanOnce) {
  const SysfsTree tree(kFolder);
  write_zone(tree, "intel-rapl:0", "package-0", 0);
  const auto meter = RaplMeter::open(tree.root(), Seconds(0)).value();
  EXPECT_NEAR(meter->info().max_read_gap.value(), 262.0, 0.5);
  set_energy(tree, "intel-rapl:0", 2'000'000);
  EXPECT_DOUBLE_EQ(meter->read(Seconds(1)).value().value(), 2.0);

  set_energy(tree, "intel-rapl:0", 9'000'000);
  const auto gap = meter->read(Seconds(1 + 263));
  EXPECT_EQ(gap.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(gap.error().message, HasSubstr("more than once"));
  EXPECT_EQ(meter->unmeasured(), Seconds(263));

  // Measuring goes on from there, without the seven joules that are not known.
  set_energy(tree, "intel-rapl:0", 10'000'000);
  EXPECT_DOUBLE_EQ(meter->read(Seconds(265)).value().value(), 3.0);
}

// After suspend to RAM the counter starts at zero. Taken for a wrap this would be 260 kJ.
TEST(RaplMeter, ReportsAGapWhenTheCounterWasReset) {
  const SysfsTree tree(kFolder);
  write_zone(tree, "intel-rapl:0", "package-0", 2'000'000'000);
  const auto meter = RaplMeter::open(tree.root(), Seconds(0)).value();
  set_energy(tree, "intel-rapl:0", 50'000);
  EXPECT_EQ(meter->read(Seconds(2)).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(meter->unmeasured(), Seconds(2));
  set_energy(tree, "intel-rapl:0", 1'050'000);
  EXPECT_DOUBLE_EQ(meter->read(Seconds(3)).value().value(), 1.0);
}

TEST(RaplMeter, KeepsItsTotalWhenAFileVanishesAndComesBack) {
  const SysfsTree tree(kFolder);
  write_server(tree);
  const auto meter = RaplMeter::open(tree.root(), Seconds(0)).value();
  set_energy(tree, "intel-rapl:0", 2'000'000);
  tree.remove("intel-rapl:1:0");
  EXPECT_EQ(meter->read(Seconds(1)).error().code, ErrorCode::kUnavailable);
  write_zone(tree, "intel-rapl:1:0", "dram", 700'000, 65712999613);
  EXPECT_DOUBLE_EQ(meter->read(Seconds(2)).value().value(), 1.5);
}

TEST(RaplMeter, RefusesGarbage) {
  for (const char* garbage :
       {"", "nonsense", "-5", "1e6", "12 34", "0x10", "99999999999999999999", "262143328851"}) {
    const SysfsTree tree(kFolder);
    write_zone(tree, "intel-rapl:0", "package-0", 1);
    const auto meter = RaplMeter::open(tree.root(), Seconds(0)).value();
    tree.write("intel-rapl:0/energy_uj", garbage);
    EXPECT_EQ(meter->read(Seconds(1)).error().code, ErrorCode::kCorrupt) << garbage;
    EXPECT_EQ(RaplMeter::open(tree.root(), Seconds(0)).error().code, ErrorCode::kCorrupt)
        << garbage;
    set_energy(tree, "intel-rapl:0", 1'000'001);
    EXPECT_DOUBLE_EQ(meter->read(Seconds(2)).value().value(), 1.0) << garbage;
  }
}

TEST(RaplMeter, RefusesAFileTooLargeForAnAttribute) {
  const SysfsTree tree(kFolder);
  write_zone(tree, "intel-rapl:0", "package-0", 1);
  tree.write("intel-rapl:0/energy_uj", std::string(1 << 20, '1'));
  const auto meter = RaplMeter::open(tree.root(), Seconds(0));
  EXPECT_EQ(meter.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(meter.error().message, HasSubstr("4096 bytes"));
}

TEST(RaplMeter, RefusesARangeThatIsNone) {
  const SysfsTree tree(kFolder);
  write_zone(tree, "intel-rapl:0", "package-0", 1, 5);
  EXPECT_EQ(RaplMeter::open(tree.root(), Seconds(0)).error().code, ErrorCode::kCorrupt);
}

TEST(RaplMeter, RefusesTimesThatGoBackOrAreNone) {
  const SysfsTree tree(kFolder);
  write_zone(tree, "intel-rapl:0", "package-0", 0);
  const auto meter = RaplMeter::open(tree.root(), Seconds(5)).value();
  EXPECT_EQ(meter->read(Seconds(4)).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(meter->read(Seconds(std::nan(""))).error().code, ErrorCode::kInvalidArgument);
  set_energy(tree, "intel-rapl:0", 1'000'000);
  EXPECT_DOUBLE_EQ(meter->read(Seconds(6)).value().value(), 1.0);
}

TEST(RaplMeter, SaysWhatIsMissing) {
  const SysfsTree tree(kFolder);
  const auto none = RaplMeter::open(tree.root(), Seconds(0));
  EXPECT_EQ(none.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(none.error().message, HasSubstr("no RAPL package"));
}

// Acts as the user `nobody` while it lives, if the test runs as root: root may read everything.
class Unprivileged {
 public:
  Unprivileged() : was_(::geteuid()), changed_(was_ == 0 && ::seteuid(65534) == 0) {}
  ~Unprivileged() {
    if (changed_) {
      EXPECT_EQ(::seteuid(was_), 0);
    }
  }
  Unprivileged(const Unprivileged&) = delete;
  Unprivileged& operator=(const Unprivileged&) = delete;

 private:
  uid_t was_;
  bool changed_;
};

TEST(RaplMeter, TellsHowToGetPermission) {
  const SysfsTree tree(kFolder);
  write_zone(tree, "intel-rapl:0", "package-0", 1);
  std::filesystem::permissions(tree.at("intel-rapl:0/energy_uj"), std::filesystem::perms::none);
  const Unprivileged user;
  if (::geteuid() == 0) {
    GTEST_SKIP() << "this container lets root read every file and not become another user";
  }
  const auto denied = RaplMeter::open(tree.root(), Seconds(0));
  ASSERT_FALSE(denied.has_value());
  EXPECT_EQ(denied.error().code, ErrorCode::kPermissionDenied);
  EXPECT_THAT(denied.error().message, HasSubstr("sudo chmod a+r"));
  EXPECT_THAT(denied.error().message, HasSubstr("intel-rapl:0/energy_uj"));
}

}  // namespace
}  // namespace gelato::energy
