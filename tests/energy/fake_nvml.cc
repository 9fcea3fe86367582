// The part of NVML that NvmlMeter uses, with two boards whose counters and status a test sets.
#include "fake_nvml.h"

#include <array>

namespace {
std::array<FakeBoard, 2> g_boards;
int g_init_status = 0;
int g_running = 0;
}  // namespace

extern "C" {

void fake_nvml_set_board(unsigned index, FakeBoard board) { g_boards.at(index) = board; }
void fake_nvml_set_init_status(int status) { g_init_status = status; }
int fake_nvml_running() { return g_running; }

// The names are NVML's.
// NOLINTBEGIN(readability-identifier-naming)
int nvmlInit_v2() {
  g_running += g_init_status == 0 ? 1 : 0;
  return g_init_status;
}
int nvmlShutdown() {
  --g_running;
  return 0;
}
const char* nvmlErrorString(int status) { return status == 3 ? "Not Supported" : "Some Error"; }
int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = static_cast<unsigned>(g_boards.size());
  return 0;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** handle) {
  *handle = &g_boards.at(index);
  return 0;
}
#ifndef FAKE_NVML_WITHOUT_ENERGY
int nvmlDeviceGetTotalEnergyConsumption(void* handle, unsigned long long* energy_mj) {
  const auto* const board = static_cast<const FakeBoard*>(handle);
  *energy_mj = board->energy_mj;
  return board->status;
}
#endif
// NOLINTEND(readability-identifier-naming)

}  // extern "C"
