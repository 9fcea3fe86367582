#include "gelato/trace_prompts.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "gelato/sim/trace_file.h"

namespace gelato::cli {
namespace {

// The member `key` as a text; nothing if it is none, or is too long for a trace.
std::string text_of(const nlohmann::json& line, const char* key) {
  const auto found = line.find(key);
  return found != line.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Result<NamedPrompt> parse_line(std::string_view text) {
  const auto line = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!line.is_object()) {
    return fail(ErrorCode::kInvalidArgument, "it is no JSON object");
  }
  NamedPrompt prompt{text_of(line, "id"), text_of(line, "task"), text_of(line, "prompt")};
  if (prompt.id.empty() || prompt.text.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                "it needs \"id\" and \"prompt\", two texts that are not empty");
  }
  if (prompt.id.size() > sim::kMaxTraceText || prompt.set.size() > sim::kMaxTraceText) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("\"id\" and \"task\" may have {} bytes", sim::kMaxTraceText));
  }
  return prompt;
}

}  // namespace

Result<std::vector<NamedPrompt>> parse_prompts(std::string_view lines, std::string_view name) {
  std::vector<NamedPrompt> prompts;
  std::set<std::string> ids;
  for (std::size_t number = 1; !lines.empty(); ++number) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    const std::string_view text = lines.substr(0, end);
    lines.remove_prefix(std::min(end + 1, lines.size()));
    if (text.find_first_not_of(" \t\r") == std::string_view::npos) {
      continue;
    }
    auto prompt = parse_line(text);
    if (prompt && !ids.insert(prompt->id).second) {
      prompt = fail(ErrorCode::kInvalidArgument,
                    fmt::format("another prompt has the id \"{}\"", prompt->id));
    }
    if (!prompt) {
      return fail(prompt.error().code,
                  fmt::format("{}, line {}: {}", name, number, prompt.error().message));
    }
    if (prompts.size() == sim::kMaxTracePrompts) {
      return fail(ErrorCode::kLimitExceeded,
                  fmt::format("{} has more than {} prompts", name, sim::kMaxTracePrompts));
    }
    prompts.push_back(std::move(*prompt));
  }
  if (prompts.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} has no prompts; write a line like {{\"id\": \"a\", \"prompt\": "
                            "\"Once\"}} for each",
                            name));
  }
  return prompts;
}

}  // namespace gelato::cli
