#include "gelato/energy/nvml_meter.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <limits>
#include <utility>

namespace gelato::energy {
namespace {

// Recent GPUs refresh the counter every 20 to 100 ms (PETSc manual, PetscLogGpuEnergyMeter).
constexpr Seconds kUpdateInterval = Seconds(0.1);
// A step may hold the energy of a refresh that was due before the last read.
constexpr Seconds kUpdateSlack = Seconds(1.0);
// Boards looked at; the largest machines have 16.
constexpr unsigned kMaxBoards = 64;

// nvmlReturn_t: the values that mean something to us (NVML API reference).
enum NvmlStatus : int {
  kNvmlSuccess = 0,
  kNvmlNotSupported = 3,
  kNvmlNoPermission = 4,
  kNvmlDriverNotLoaded = 9,
  kNvmlGpuIsLost = 15,
};

ErrorCode code_of(int status) {
  switch (status) {
    case kNvmlNotSupported:
      return ErrorCode::kUnsupported;
    case kNvmlNoPermission:
      return ErrorCode::kPermissionDenied;
    case kNvmlDriverNotLoaded:
    case kNvmlGpuIsLost:
      return ErrorCode::kUnavailable;
    default:
      return ErrorCode::kIo;
  }
}

constexpr Joules millijoules(std::uint64_t mj) { return Joules(static_cast<double>(mj) * 1e-3); }

}  // namespace

// The few functions of NVML that are used. Owns the library and NVML's state in this process.
class NvmlMeter::Library {
 public:
  static Result<std::unique_ptr<Library>> open(const std::string& name) {
    void* const library = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
      return fail(ErrorCode::kUnavailable,
                  fmt::format("{} cannot be loaded: there is no NVIDIA driver", name));
    }
    std::unique_ptr<Library> opened(new Library(library));
    if (!opened->bind()) {
      return fail(ErrorCode::kUnsupported,
                  fmt::format("{} lacks a function that counts energy: update the driver", name));
    }
    if (const int status = opened->init_(); status != kNvmlSuccess) {
      return opened->failed("NVML does not start", status);
    }
    opened->started_ = true;
    return opened;
  }

  ~Library() {
    if (started_) {
      shutdown_();
    }
    ::dlclose(library_);
  }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  Result<unsigned> count() const {
    unsigned boards = 0;
    const int status = count_(&boards);
    return status == kNvmlSuccess ? Result<unsigned>(boards)
                                  : failed("NVML cannot count the GPUs", status);
  }

  Result<void*> board(unsigned index) const {
    void* handle = nullptr;
    const int status = handle_(index, &handle);
    return status == kNvmlSuccess ? Result<void*>(handle)
                                  : failed(fmt::format("NVML cannot open GPU {}", index), status);
  }

  Result<std::uint64_t> energy_mj(unsigned index, void* handle) const {
    unsigned long long value = 0;
    const int status = energy_(handle, &value);
    return status == kNvmlSuccess
               ? Result<std::uint64_t>(value)
               : failed(fmt::format("GPU {} does not tell its energy", index), status);
  }

 private:
  explicit Library(void* library) : library_(library) {}

  template <class Function>
  bool find(const char* name, Function& function) {
    function = reinterpret_cast<Function>(::dlsym(library_, name));
    return function != nullptr;
  }

  bool bind() {
    return find("nvmlInit_v2", init_) && find("nvmlShutdown", shutdown_) &&
           find("nvmlErrorString", error_string_) && find("nvmlDeviceGetCount_v2", count_) &&
           find("nvmlDeviceGetHandleByIndex_v2", handle_) &&
           find("nvmlDeviceGetTotalEnergyConsumption", energy_);
  }

  tl::unexpected<Error> failed(std::string_view what, int status) const {
    const char* const why = error_string_(status);
    return fail(code_of(status), fmt::format("{}: {} (NVML code {})", what,
                                             why == nullptr ? "no reason given" : why, status));
  }

  void* library_;
  bool started_ = false;
  int (*init_)() = nullptr;
  int (*shutdown_)() = nullptr;
  const char* (*error_string_)(int) = nullptr;
  int (*count_)(unsigned*) = nullptr;
  int (*handle_)(unsigned, void**) = nullptr;
  int (*energy_)(void*, unsigned long long*) = nullptr;
};

Result<std::unique_ptr<NvmlMeter>> NvmlMeter::open(const std::string& library, Seconds now,
                                                   std::optional<std::uint32_t> gpu) {
  auto nvml = Library::open(library);
  if (!nvml) {
    return fail(nvml.error());
  }
  const auto count = (*nvml)->count();
  if (!count) {
    return fail(count.error());
  }
  if (*count == 0) {
    return fail(ErrorCode::kUnavailable, "the NVIDIA driver sees no GPU");
  }
  if (gpu && *gpu >= *count) {
    return fail(ErrorCode::kNotFound,
                fmt::format("there is no GPU {}: the driver counts {}, from 0", *gpu, *count));
  }
  std::vector<Board> boards;
  Error last;
  for (unsigned i = 0; i < *count && i < kMaxBoards; ++i) {
    if (gpu && *gpu != i) {
      continue;
    }
    const auto handle = (*nvml)->board(i);
    const auto energy =
        handle ? (*nvml)->energy_mj(i, *handle) : Result<std::uint64_t>(fail(handle.error()));
    if (energy) {
      boards.push_back({i, *handle, *energy});
    } else {
      last = energy.error();
    }
  }
  if (boards.empty()) {
    return fail(last);
  }
  return std::unique_ptr<NvmlMeter>(new NvmlMeter(std::move(*nvml), std::move(boards), now));
}

NvmlMeter::NvmlMeter(std::unique_ptr<Library> library, std::vector<Board> boards, Seconds now)
    : library_(std::move(library)), boards_(std::move(boards)), total_(now) {
  std::string names;
  for (const auto& board : boards_) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", board.index);
  }
  // The counter has 64 bits of millijoules: it never wraps, so reads may be any time apart.
  info_ = {"nvml", kUpdateInterval, Seconds(std::numeric_limits<double>::infinity()),
           fmt::format("the NVIDIA boards with index {}, GPU and memory, all processes; not the "
                       "processor or the rest of the machine",
                       names)};
}

NvmlMeter::~NvmlMeter() = default;

Result<Joules> NvmlMeter::read(Seconds now) {
  const auto elapsed = total_.elapsed(now);
  if (!elapsed) {
    return fail(elapsed.error());
  }
  std::vector<std::uint64_t> values;
  for (const auto& board : boards_) {
    const auto value = library_->energy_mj(board.index, board.handle);
    if (!value) {
      return fail(value.error());
    }
    values.push_back(*value);
  }
  // All readings are good: from here on every counter moves to its new value.
  const Joules most = kMaxGpuPower * (*elapsed + kUpdateSlack);
  Joules used;
  bool reset = false;
  for (std::size_t i = 0; i < boards_.size(); ++i) {
    const auto before = std::exchange(boards_[i].last_mj, values[i]);
    const bool sensible = values[i] >= before && millijoules(values[i] - before) <= most;
    reset = reset || !sensible;
    used += sensible ? millijoules(values[i] - before) : Joules(0);
  }
  if (reset) {
    return total_.lose(now, fmt::format("nvml: the energy of the last {:.1f} s is unknown, because "
                                        "the driver reset its counter",
                                        elapsed->value()));
  }
  return total_.add(now, used);
}

}  // namespace gelato::energy
