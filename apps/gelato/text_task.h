// What the commands that write one text have in common: where the prompt comes from, how the text
// is shown, and what its result holds.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gelato/base/result.h"
#include "gelato/cli11_fwd.h"
#include "gelato/device/local_session.h"
#include "gelato/text_sink.h"

namespace gelato::cli {

inline constexpr const char* kDefaultPolicy = "static:4";

struct TextFlags {
  std::optional<std::string> prompt;
  std::string prompt_file;
  std::vector<std::string> stops;
  bool chat = false;
  bool show_origin = false;
  bool quiet = false;
  std::string json;

  void add_prompt_to(CLI::App& app);
  void add_output_to(CLI::App& app);

  // Whether neither an option nor a pipe says what the prompt is.
  [[nodiscard]] bool asks_nothing() const;
  // Errors: kInvalidArgument without a prompt; those of read_prompt_file().
  [[nodiscard]] Result<std::string> find_prompt() const;
};

// Why a text ended: device::to_string(StopReason), or what made the sink stop.
std::string_view stop_name(const device::GenerationStats& stats, const TextSink& sink);

// Adds stop, output, output_sha256, policy, why and sampler to a result; no policy is the target
// alone. Errors: those of report::sha256().
Result<void> add_output(nlohmann::json& result, const TextSink& sink,
                        const device::GenerationStats& stats, const control::Policy* policy,
                        const engine::SamplerParams& sampler);

}  // namespace gelato::cli
