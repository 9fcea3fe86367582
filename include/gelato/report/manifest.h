// What must stand beside a result so that it can be repeated: program, machine, models.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "gelato/base/result.h"

namespace gelato::report {

// "0.1.0", as in CMakeLists.txt.
std::string_view version();
// The git commit that the build was configured from, 40 hex digits; empty when that is not known
// (a source archive). Changes that were not committed do not show.
std::string_view commit();

struct Machine {
  std::string cpu = "unknown";     // the processor's name
  unsigned cores = 0;              // logical processors that this process may use
  std::uint64_t memory_bytes = 0;  // 0: not known
};

// This machine, from /proc. What cannot be read keeps its default: never fails.
Machine this_machine();

// The parsers behind it: the processor's name in the text of /proc/cpuinfo, or "unknown"; the bytes
// of the line MemTotal in the text of /proc/meminfo, or 0.
std::string cpu_name(std::string_view cpuinfo);
std::uint64_t total_memory(std::string_view meminfo);

// One model of a run.
struct ModelFile {
  std::string file;  // the name without its folder: results are shared, folders are private
  std::uint64_t bytes = 0;
  std::string sha256;
};

// Reads size and SHA-256 of the file. Errors as of sha256_file.
Result<ModelFile> describe_model(const std::filesystem::path& path);

struct RunManifest {
  std::uint64_t seed = 0;
  Machine machine;
  std::map<std::string, ModelFile> models;  // by role: "target", "draft"
};

// {"version", "commit" (null when not known), "seed", "machine": {"cpu", "cores", "memory_bytes"},
//  "models": {ROLE: {"file", "bytes", "sha256"}}}
nlohmann::json to_json(const RunManifest& manifest);

}  // namespace gelato::report
