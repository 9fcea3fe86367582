// gelato run: generate on this machine.
#include <fmt/format.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gelato/cli.h"
#include "gelato/commands.h"
#include "gelato/generation.h"
#include "gelato/model_options.h"
#include "gelato/report/digest.h"
#include "gelato/report/output.h"
#include "gelato/report/terminal.h"
#include "gelato/text_sink.h"

namespace gelato::cli {
namespace {

constexpr const char* kDefaultPolicy = "static:4";

struct RunFlags {
  ModelFlags models;
  GenerationFlags generation;
  std::optional<std::string> prompt;
  std::string prompt_file;
  std::string policy;
  std::vector<std::string> stops;
  bool chat = false;
  bool show_origin = false;
  bool quiet = false;
  std::string json;
};

Result<std::string> find_prompt(const RunFlags& flags) {
  Result<std::string> text;
  if (flags.prompt) {
    text = *flags.prompt;
  } else if (flags.prompt_file.empty() && ::isatty(STDIN_FILENO) != 0) {
    return fail(ErrorCode::kInvalidArgument,
                "there is no prompt; give one with --prompt, --file or on standard input");
  } else {
    text = read_prompt_file(flags.prompt_file.empty() ? "-" : flags.prompt_file);
  }
  if (text && text->empty()) {
    return fail(ErrorCode::kInvalidArgument,
                "the prompt is empty; give one with --prompt, --file or on standard input");
  }
  return text;
}

// Null: the target alone.
Result<std::unique_ptr<control::Policy>> choose_policy(const RunFlags& flags) {
  const bool has_draft = flags.models.has_draft();
  if (!has_draft && flags.policy.empty()) {
    return nullptr;
  }
  auto policy = control::make_policy(flags.policy.empty() ? kDefaultPolicy : flags.policy);
  if (policy && !has_draft) {
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format("--policy {} needs a draft model; name one with --model-draft", flags.policy));
  }
  return policy;
}

std::string_view stop_name(const device::GenerationStats& stats, const TextSink& sink) {
  if (stats.stop != device::StopReason::kSink) {
    return device::to_string(stats.stop);
  }
  return sink.stopped() ? "stop_string" : interrupted() ? "interrupted" : "closed_output";
}

Result<void> write_result(const RunFlags& flags, const device::LocalSession& session,
                          const device::GenerateOptions& options, const std::string& policy,
                          nlohmann::json result, const TextSink& sink,
                          const device::GenerationStats& stats) {
  const auto manifest = describe_run(session, options.seed);
  if (!manifest) {
    return fail(manifest.error());
  }
  const auto digest = report::sha256(sink.text());
  if (!digest) {
    return fail(digest.error());
  }
  result.update(report::to_json(*manifest));
  result["policy"] = policy;
  result["stop"] = stop_name(stats, sink);
  result["output"] = sink.text();
  result["output_sha256"] = *digest;
  result["sampler"] = {{"temperature", options.sampler.temperature},
                       {"top_k", options.sampler.top_k},
                       {"top_p", options.sampler.top_p},
                       {"min_p", options.sampler.min_p}};
  return report::write_json(flags.json, result);
}

Result<void> run(const RunFlags& flags) {
  const auto options = flags.generation.options();
  if (!options) {
    return fail(options.error());
  }
  // What cannot work is told before models are loaded.
  if (auto ok = check_json(flags.json); !ok) {
    return ok;
  }
  const auto policy = choose_policy(flags);
  if (!policy) {
    return fail(policy.error());
  }
  const auto prompt = find_prompt(flags);
  if (!prompt) {
    return fail(prompt.error());
  }
  const auto workplace = Workplace::create(flags.models.verbose);
  if (!workplace) {
    return fail(workplace.error());
  }
  const auto opened = (*workplace)->open(flags.models);
  if (!opened) {
    return fail(opened.error());
  }
  device::LocalSession& session = **opened;
  Output messages(STDERR_FILENO);
  if (!session.vocabulary_note().empty() && !flags.quiet) {
    messages.write(fmt::format("gelato: note: {}\n", session.vocabulary_note()));
  }
  const auto tokens = session.tokenize(*prompt, flags.chat);
  if (!tokens) {
    return fail(tokens.error());
  }

  const int text_to = text_descriptor(flags.json);
  Output out(text_to);
  TextSink sink(session.target(), flags.stops, &out);
  if (flags.show_origin) {
    sink.show_origin(report::terminal_of(text_to));
  }
  const Seconds decode_before = session.decode_time();
  const auto stats = session.generate(*tokens, *options, policy->get(), sink);
  sink.finish();
  if (!sink.text().ends_with('\n')) {
    out.write("\n");
  }
  if (!stats) {
    return fail(stats.error());
  }
  if (!flags.quiet) {
    messages.write(summary_line(*stats) + "\n");
  }
  if (!flags.json.empty()) {
    const Seconds decoding = session.decode_time() - decode_before;
    const std::string name = *policy ? (*policy)->name() : "target-only";
    if (auto ok =
            write_result(flags, session, *options, name, to_json(*stats, decoding), sink, *stats);
        !ok) {
      return ok;
    }
  }
  return out.status();
}

}  // namespace

int run_command(const std::vector<std::string>& arguments) {
  RunFlags flags;
  CLI::App app("Generate text on this machine, with the target alone or with a draft model.",
               "gelato run");
  set_up(app);
  flags.models.add_to(app);
  app.add_option("-p,--prompt", flags.prompt, "Prompt");
  app.add_option("-f,--file", flags.prompt_file, "Read the prompt from a file; -: standard input")
      ->excludes("--prompt");
  app.add_flag("--chat", flags.chat, "Wrap the prompt into the model's chat template");
  flags.generation.add_to(app);
  app.add_option("--policy", flags.policy,
                 fmt::format("How long drafts are (default: {}); see below", kDefaultPolicy));
  app.add_option("--stop", flags.stops, "End the text before this string (may be repeated)")
      ->take_all();
  app.add_flag("--show-origin", flags.show_origin,
               "Colour accepted draft tokens green, corrections red, bonus tokens yellow "
               "(without colours: {corrections}, [bonus])");
  app.add_flag("-q,--quiet", flags.quiet, "No notes and no summary line");
  add_json_option(app, flags.json);
  app.footer("Policies:\n" + control::policy_help() +
             "\nExample:\n  gelato run -p \"Once upon a time\" -n 64 --policy static:4 "
             "--show-origin\n");
  int exit_code = kSuccess;
  if (!parse(app, arguments, exit_code)) {
    return exit_code;
  }
  const auto ok = run(flags);
  return ok ? kSuccess : print_error(ok.error());
}

}  // namespace gelato::cli
