// llama.cpp as a whole: its compute backends, its log, its way of failing.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "gelato/base/log.h"
#include "gelato/base/result.h"

namespace gelato::engine {

// A processor that llama.cpp can compute on.
struct DeviceInfo {
  std::string name;         // e.g. "CPU", "Vulkan0"
  std::string description;  // e.g. the processor's model name
  std::string kind;         // "cpu", "gpu", "igpu" or "accel"
  std::uint64_t memory_free_bytes = 0;
  std::uint64_t memory_total_bytes = 0;
};

// Owns the process-wide state of llama.cpp: loaded compute backends and the log sink. Create one in
// main() and keep it alive longer than every model. Not thread-safe to create or destroy.
class Backend {
 public:
  // Loads the compute backends that lie beside the llama library and sends llama.cpp's log lines to
  // `log`, which must outlive the Backend.
  // Errors: kUnavailable if no backend can compute here.
  static Result<std::unique_ptr<Backend>> create(Log& log);
  ~Backend();
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  [[nodiscard]] std::vector<DeviceInfo> devices() const;
  // llama.cpp's version, and the instruction sets of the CPU backend that was chosen.
  [[nodiscard]] std::string version() const;
  [[nodiscard]] std::string system_info() const;

 private:
  Backend() = default;
};

}  // namespace gelato::engine
