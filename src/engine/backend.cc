#include "gelato/engine/backend.h"

#include <dlfcn.h>
#include <ggml-backend.h>
#include <llama.h>

#include <algorithm>
#include <string_view>

#include "gelato/base/utf8.h"
#include "llama_guard.h"

namespace gelato::engine {
namespace {

thread_local int trap_depth = 0;
thread_local std::string first_error_line;

// Called by llama.cpp when an assertion fails; if it returns, the process aborts. The message is
// "/folder/it/was/built/in/file.cpp:LINE: text\n".
void on_assertion(const char* message) {
  if (trap_depth > 0) {
    const std::string_view text = message;
    const auto folder = text.substr(0, text.find(": ")).rfind('/');
    throw LlamaAssertion{
        one_line(folder == std::string_view::npos ? text : text.substr(folder + 1))};
  }
}

// llama.cpp's lines look like "function_name: text\n".
std::string_view without_function_name(std::string_view line) {
  while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) {
    line.remove_suffix(1);
  }
  const auto colon = line.find(": ");
  if (colon != std::string_view::npos &&
      line.substr(0, colon).find(' ') == std::string_view::npos) {
    line.remove_prefix(colon + 2);
  }
  return line;
}

void on_log(ggml_log_level level, const char* text, void* user_data) {
  const auto line = without_function_name(text);
  if (line.empty()) {
    return;
  }
  auto* log = static_cast<Log*>(user_data);
  if (level == GGML_LOG_LEVEL_ERROR && first_error_line.empty()) {
    first_error_line = one_line(line);
  }
  // The caller of the engine gets errors as values; the log shows them to who asks for detail.
  const LogLevel to = level == GGML_LOG_LEVEL_WARN || level == GGML_LOG_LEVEL_ERROR
                          ? LogLevel::kInfo
                          : LogLevel::kDebug;
  log->write(to, line);
}

// The folder of the llama library that this process has loaded: the backends lie beside it.
std::string library_folder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&llama_backend_init), &info) == 0 ||
      info.dli_fname == nullptr) {
    return {};
  }
  const std::string_view path = info.dli_fname;
  const auto slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? "." : path.substr(0, slash));
}

std::string_view kind_name(enum ggml_backend_dev_type type) {
  switch (type) {
    case GGML_BACKEND_DEVICE_TYPE_CPU:
      return "cpu";
    case GGML_BACKEND_DEVICE_TYPE_GPU:
      return "gpu";
    case GGML_BACKEND_DEVICE_TYPE_IGPU:
      return "igpu";
    default:
      return "accel";
  }
}

}  // namespace

AssertionTrap::AssertionTrap() { ++trap_depth; }
AssertionTrap::~AssertionTrap() { --trap_depth; }

void install_assertion_hook() { ggml_set_abort_callback(on_assertion); }

std::string first_error() { return first_error_line; }
void clear_first_error() { first_error_line.clear(); }

std::string one_line(std::string_view text) {
  constexpr std::size_t kMost = 300;
  std::string line = replace_invalid_utf8(text.substr(0, kMost));
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < ' ' || c == 0x7F; }, ' ');
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

Result<std::unique_ptr<Backend>> Backend::create(Log& log) {
  llama_log_set(on_log, &log);
  install_assertion_hook();
  if (ggml_backend_reg_count() == 0) {
    ggml_backend_load_all_from_path(library_folder().c_str());
  }
  if (ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU) == nullptr) {
    return fail(ErrorCode::kUnavailable, "llama.cpp found no compute backend in " +
                                             library_folder() +
                                             "; run `make setup` to fetch its libraries again");
  }
  llama_backend_init();
  return std::unique_ptr<Backend>(new Backend());
}

Backend::~Backend() {
  llama_backend_free();
  llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
}

std::vector<DeviceInfo> Backend::devices() const {
  std::vector<DeviceInfo> found;
  for (std::size_t i = 0; i < ggml_backend_dev_count(); ++i) {
    ggml_backend_dev_t device = ggml_backend_dev_get(i);
    std::size_t free = 0;
    std::size_t total = 0;
    ggml_backend_dev_memory(device, &free, &total);
    found.push_back({.name = ggml_backend_dev_name(device),
                     .description = ggml_backend_dev_description(device),
                     .kind = std::string(kind_name(ggml_backend_dev_type(device))),
                     .memory_free_bytes = free,
                     .memory_total_bytes = total});
  }
  return found;
}

std::string Backend::version() const { return llama_version(); }
std::string Backend::system_info() const { return llama_print_system_info(); }

}  // namespace gelato::engine
