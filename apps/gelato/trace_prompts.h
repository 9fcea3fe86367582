// Prompts to record a trace of: a file of JSON lines.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gelato/base/result.h"

namespace gelato::cli {

struct NamedPrompt {
  std::string id;
  std::string set;  // e.g. stories, maths; empty: none
  std::string text;

  friend bool operator==(const NamedPrompt&, const NamedPrompt&) = default;
};

// Reads {"id": ..., "task": ..., "prompt": ...} per line; blank lines are skipped, other members
// ignored. `task` may be left out, ids are unique. `name` stands for the file in messages.
// Errors: kInvalidArgument, naming the line; kLimitExceeded above sim::kMaxTracePrompts.
Result<std::vector<NamedPrompt>> parse_prompts(std::string_view lines, std::string_view name);

}  // namespace gelato::cli
