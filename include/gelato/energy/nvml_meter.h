// GPU energy from NVIDIA's management library (NVML API reference,
// nvmlDeviceGetTotalEnergyConsumption: Volta or newer). The library comes with the driver, so it is
// loaded at run time and a machine without it only lacks this meter.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gelato/energy/energy_meter.h"
#include "gelato/energy/meter_total.h"

namespace gelato::energy {

// More than any one GPU board draws; a counter that moved further was reset (driver reloaded).
inline constexpr Watts kMaxGpuPower = Watts(3000.0);

class NvmlMeter final : public EnergyMeter {
 public:
  // `library` is what dlopen gets, normally libnvidia-ml.so.1. `gpu` picks one board by its NVML
  // index; without it every board that counts energy is summed.
  // Errors: kUnavailable without the library, the driver or a GPU; kUnsupported if the library or
  // the GPU is too old to count energy; kNotFound if there is no such `gpu`; kPermissionDenied;
  // kIo.
  static Result<std::unique_ptr<NvmlMeter>> open(const std::string& library, Seconds now,
                                                 std::optional<std::uint32_t> gpu = std::nullopt);
  ~NvmlMeter() override;

  Result<Joules> read(Seconds now) override;
  [[nodiscard]] Seconds unmeasured() const override { return total_.unmeasured(); }
  [[nodiscard]] const MeterInfo& info() const override { return info_; }

 private:
  class Library;
  struct Board {
    std::uint32_t index = 0;
    void* handle = nullptr;  // owned by NVML
    std::uint64_t last_mj = 0;
  };

  NvmlMeter(std::unique_ptr<Library> library, std::vector<Board> boards, Seconds now);

  std::unique_ptr<Library> library_;
  std::vector<Board> boards_;
  MeterInfo info_;
  MeterTotal total_;
};

}  // namespace gelato::energy
