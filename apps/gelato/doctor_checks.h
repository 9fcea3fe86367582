// What `gelato doctor` looks at, one function per line of its report.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gelato/comparison.h"
#include "gelato/engine/backend.h"
#include "gelato/model_options.h"
#include "gelato/report/terminal.h"

namespace gelato::cli {

enum class Health {
  kGood,
  kNote,  // works, but you may want to know
  kBad,   // something needed does not work
};

// "ok", "note", "failed".
std::string_view to_string(Health health);

// One line of the report.
struct Finding {
  std::string subject;
  Health health = Health::kGood;
  std::string text = {};
  std::string hint = {};          // what to do; empty when there is nothing to do
  nlohmann::json data = nullptr;  // the numbers behind the text, for the JSON
};

Finding check_program();
Finding check_llama(const engine::Backend& backend);
Finding check_processors(const engine::Backend& backend);
// Whether the files of `models` fit into the memory that is free now.
Finding check_memory(std::span<const std::string> models);
// Size and SHA-256 of the models that ship with Gelato against the manifest beside them.
Finding check_bundled_models();
Finding check_vocabulary(const device::LocalSession& session);
Finding check_chat_template(const device::LocalSession& session);
Finding check_threads(const device::LocalSession& session);
// A quick measurement: the target alone and `static:4`.
Finding check_speculation(device::LocalSession& session, const Clock& clock);
Finding check_terminal(const report::Terminal& terminal);

// The rows of the table in a manifest like assets/models/MANIFEST.md: those that begin with a file
// name in back quotes and end with a size in bytes and a SHA-256.
struct ListedModel {
  std::string file;
  std::uint64_t bytes = 0;
  std::string sha256;
};
std::vector<ListedModel> read_model_manifest(std::string_view markdown);

// The bytes of the line MemAvailable in the text of /proc/meminfo, or 0.
std::uint64_t available_memory(std::string_view meminfo);

}  // namespace gelato::cli
