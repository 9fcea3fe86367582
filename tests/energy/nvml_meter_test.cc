#include "gelato/energy/nvml_meter.h"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/energy/fake_nvml.h"

namespace gelato::energy {
namespace {

using testing::HasSubstr;

constexpr int kNotSupported = 3;
constexpr int kNoPermission = 4;
constexpr int kDriverNotLoaded = 9;
constexpr int kGpuIsLost = 15;

// Keeps the fake library loaded, so that the meter gets the same one, and steers it.
class NvmlMeterTest : public testing::Test {
 protected:
  NvmlMeterTest() : library_(::dlopen(FAKE_NVML, RTLD_NOW | RTLD_LOCAL)) {
    EXPECT_NE(library_, nullptr) << ::dlerror();
    set_board(0, {1000, 0});
    set_board(1, {5000, 0});
    set_init_status(0);
  }
  ~NvmlMeterTest() override {
    EXPECT_EQ(function<decltype(fake_nvml_running)>("fake_nvml_running")(), 0)
        << "NVML was started more often than shut down";
    ::dlclose(library_);
  }

  void set_board(unsigned index, FakeBoard board) {
    function<decltype(fake_nvml_set_board)>("fake_nvml_set_board")(index, board);
  }
  void set_init_status(int status) {
    function<decltype(fake_nvml_set_init_status)>("fake_nvml_set_init_status")(status);
  }

 private:
  template <class Function>
  Function* function(const char* name) {
    auto* const found = reinterpret_cast<Function*>(::dlsym(library_, name));
    EXPECT_NE(found, nullptr) << name;
    return found;
  }

  void* library_;
};

TEST_F(NvmlMeterTest, SumsTheBoards) {
  const auto meter = NvmlMeter::open(FAKE_NVML, Seconds(0)).value();
  EXPECT_EQ(meter->source(), "nvml");
  EXPECT_THAT(meter->info().covers, HasSubstr("index 0, 1,"));
  EXPECT_EQ(meter->read(Seconds(0)).value(), Joules(0));
  set_board(0, {31'000, 0});
  set_board(1, {5'500, 0});
  EXPECT_DOUBLE_EQ(meter->read(Seconds(1)).value().value(), 30.5);
}

TEST_F(NvmlMeterTest, MeasuresOneBoardIfAsked) {
  const auto meter = NvmlMeter::open(FAKE_NVML, Seconds(0), 1).value();
  set_board(0, {31'000, 0});
  set_board(1, {5'500, 0});
  EXPECT_DOUBLE_EQ(meter->read(Seconds(1)).value().value(), 0.5);
  const auto none = NvmlMeter::open(FAKE_NVML, Seconds(0), 2);
  EXPECT_EQ(none.error().code, ErrorCode::kNotFound);
}

TEST_F(NvmlMeterTest, LeavesOutBoardsThatDoNotCount) {
  set_board(0, {0, kNotSupported});
  const auto meter = NvmlMeter::open(FAKE_NVML, Seconds(0)).value();
  EXPECT_THAT(meter->info().covers, HasSubstr("index 1,"));
  set_board(1, {0, kNotSupported});
  const auto none = NvmlMeter::open(FAKE_NVML, Seconds(0));
  EXPECT_EQ(none.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(none.error().message, HasSubstr("Not Supported"));
}

TEST_F(NvmlMeterTest, ReportsAResetOrAnImpossibleStepAsAGap) {
  const auto meter = NvmlMeter::open(FAKE_NVML, Seconds(0)).value();
  set_board(0, {10, 0});  // the driver was reloaded
  EXPECT_EQ(meter->read(Seconds(1)).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(meter->unmeasured(), Seconds(1));
  set_board(0, {~0ULL, 0});
  EXPECT_EQ(meter->read(Seconds(2)).error().code, ErrorCode::kUnavailable);
  set_board(0, {10, 0});
  EXPECT_EQ(meter->read(Seconds(3)).error().code, ErrorCode::kUnavailable);
  set_board(0, {1'010, 0});
  EXPECT_DOUBLE_EQ(meter->read(Seconds(4)).value().value(), 1.0);
}

TEST_F(NvmlMeterTest, PassesOnWhatTheDriverRefuses) {
  const auto meter = NvmlMeter::open(FAKE_NVML, Seconds(0)).value();
  set_board(0, {2'000, kGpuIsLost});
  EXPECT_EQ(meter->read(Seconds(1)).error().code, ErrorCode::kUnavailable);
  set_board(0, {2'000, kNoPermission});
  EXPECT_EQ(meter->read(Seconds(1)).error().code, ErrorCode::kPermissionDenied);
  set_board(0, {2'000, 999});
  EXPECT_EQ(meter->read(Seconds(1)).error().code, ErrorCode::kIo);
  set_board(0, {2'000, 0});
  EXPECT_DOUBLE_EQ(meter->read(Seconds(2)).value().value(), 1.0);
}

TEST_F(NvmlMeterTest, IsUnavailableWithoutLibraryOrDriver) {
  const auto missing = NvmlMeter::open("libnvidia-ml-that-is-not-there.so.1", Seconds(0));
  EXPECT_EQ(missing.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(missing.error().message, HasSubstr("no NVIDIA driver"));
  set_init_status(kDriverNotLoaded);
  EXPECT_EQ(NvmlMeter::open(FAKE_NVML, Seconds(0)).error().code, ErrorCode::kUnavailable);
}

TEST_F(NvmlMeterTest, RefusesALibraryThatIsTooOld) {
  const auto old = NvmlMeter::open(FAKE_NVML_OLD, Seconds(0));
  EXPECT_EQ(old.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(old.error().message, HasSubstr("update the driver"));
}

}  // namespace
}  // namespace gelato::energy
