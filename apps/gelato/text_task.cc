#include "gelato/text_task.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "gelato/cli.h"
#include "gelato/generation.h"
#include "gelato/report/digest.h"
#include "gelato/why_report.h"

namespace gelato::cli {

void TextFlags::add_prompt_to(CLI::App& app) {
  app.add_option("-p,--prompt", prompt, "Prompt");
  app.add_option("-f,--file", prompt_file, "Read the prompt from a file; -: standard input")
      ->excludes("--prompt");
  app.add_flag("--chat", chat, "Wrap the prompt into the model's chat template");
}

void TextFlags::add_output_to(CLI::App& app) {
  app.add_option("--stop", stops, "End the text before this string (may be repeated)")
      ->allow_extra_args(false)
      ->take_all();
  app.add_flag(
      "--show-origin", show_origin,
      "Colour accepted draft tokens green, corrections red, bonus tokens yellow, unverified "
      "ones dim (without colours: {corrections}, [bonus], <unverified>)");
  app.add_flag("-q,--quiet", quiet, "No notes and no summary line");
  add_json_option(app, json);
}

bool TextFlags::asks_nothing() const {
  return !prompt && prompt_file.empty() && ::isatty(STDIN_FILENO) != 0;
}

Result<std::string> TextFlags::find_prompt() const {
  Result<std::string> text;
  if (prompt) {
    text = *prompt;
  } else if (asks_nothing()) {
    return fail(ErrorCode::kInvalidArgument,
                "there is no prompt; give one with --prompt, --file or on standard input");
  } else {
    text = read_prompt_file(prompt_file.empty() ? "-" : prompt_file);
  }
  if (text && text->empty()) {
    return fail(ErrorCode::kInvalidArgument,
                "the prompt is empty; give one with --prompt, --file or on standard input");
  }
  return text;
}

std::string_view stop_name(const device::GenerationStats& stats, const TextSink& sink) {
  if (stats.stop != device::StopReason::kSink) {
    return device::to_string(stats.stop);
  }
  return sink.stopped() ? "stop_string" : interrupted() ? "interrupted" : "closed_output";
}

Result<void> add_output(nlohmann::json& result, const TextSink& sink,
                        const device::GenerationStats& stats, const control::Policy* policy,
                        const engine::SamplerParams& sampler) {
  const auto digest = report::sha256(sink.text());
  if (!digest) {
    return fail(digest.error());
  }
  result["policy"] = policy != nullptr ? policy->name() : "target-only";
  result["why"] = why_json(policy != nullptr ? policy->why() : nullptr);
  result["stop"] = stop_name(stats, sink);
  result["output"] = sink.text();
  result["output_sha256"] = *digest;
  result["sampler"] = {{"temperature", sampler.temperature},
                       {"top_k", sampler.top_k},
                       {"top_p", sampler.top_p},
                       {"min_p", sampler.min_p}};
  return {};
}

}  // namespace gelato::cli
