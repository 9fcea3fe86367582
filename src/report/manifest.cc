#include "gelato/report/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "build_info.h"
#include "gelato/report/digest.h"

namespace gelato::report {
namespace {

std::string read_all(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t";
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) {
    return {};
  }
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

// The value of the first line "key: value".
std::optional<std::string_view> field(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos && trimmed(line.substr(0, colon)) == key) {
      return trimmed(line.substr(colon + 1));
    }
  }
  return std::nullopt;
}

}  // namespace

std::string_view version() { return kVersion; }
std::string_view commit() { return kCommit; }

std::string cpu_name(std::string_view cpuinfo) {
  // x86 says "model name"; boards with an Arm processor say "Model" or "Hardware", servers nothing.
  for (const std::string_view key : {"model name", "Model", "Hardware"}) {
    if (const auto name = field(cpuinfo, key); name && !name->empty()) {
      return std::string(*name);
    }
  }
  return "unknown";
}

std::uint64_t total_memory(std::string_view meminfo) {
  const std::string_view value = field(meminfo, "MemTotal").value_or("");
  std::uint64_t kibibytes = 0;
  const auto parsed = std::from_chars(value.data(), value.data() + value.size(), kibibytes);
  const std::string_view unit =
      trimmed(value.substr(static_cast<std::size_t>(std::distance(value.data(), parsed.ptr))));
  return parsed.ec == std::errc() && unit == "kB" ? kibibytes * 1024 : 0;
}

Machine this_machine() {
  return {.cpu = cpu_name(read_all("/proc/cpuinfo")),
          .cores = std::thread::hardware_concurrency(),
          .memory_bytes = total_memory(read_all("/proc/meminfo"))};
}

Result<ModelFile> describe_model(const std::filesystem::path& path) {
  auto digest = sha256_file(path);
  if (!digest) {
    return fail(std::move(digest.error()));
  }
  std::error_code why;
  const std::uintmax_t bytes = std::filesystem::file_size(path, why);
  if (why) {
    return fail(ErrorCode::kIo,
                fmt::format("The size of {} cannot be read: {}.", path.string(), why.message()));
  }
  return ModelFile{.file = path.filename().string(), .bytes = bytes, .sha256 = std::move(*digest)};
}

nlohmann::json to_json(const RunManifest& manifest) {
  nlohmann::json models = nlohmann::json::object();
  for (const auto& [role, model] : manifest.models) {
    models[role] = {{"file", model.file}, {"bytes", model.bytes}, {"sha256", model.sha256}};
  }
  nlohmann::json commit_or_null = nullptr;
  if (!commit().empty()) {
    commit_or_null = commit();
  }
  return {{"version", version()},
          {"commit", commit_or_null},
          {"seed", manifest.seed},
          {"machine",
           {{"cpu", manifest.machine.cpu},
            {"cores", manifest.machine.cores},
            {"memory_bytes", manifest.machine.memory_bytes}}},
          {"models", models}};
}

}  // namespace gelato::report
