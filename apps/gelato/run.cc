// gelato run: generate on this machine.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "gelato/cli.h"
#include "gelato/commands.h"
#include "gelato/energy_options.h"
#include "gelato/generation.h"
#include "gelato/model_options.h"
#include "gelato/report/output.h"
#include "gelato/report/terminal.h"
#include "gelato/text_task.h"
#include "gelato/why_report.h"

namespace gelato::cli {
namespace {

struct RunFlags {
  ModelFlags models;
  GenerationFlags generation;
  TextFlags text;
  EnergyFlags energy;
  std::optional<std::string> policy;
};

// Null: the target alone.
Result<std::unique_ptr<control::Policy>> choose_policy(const RunFlags& flags) {
  if (!flags.models.has_draft() && !flags.policy) {
    return nullptr;
  }
  auto policy = control::make_policy(flags.policy.value_or(kDefaultPolicy));
  if (policy && !flags.models.has_draft()) {
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format("--policy {} needs a draft model; name one with --model-draft", *flags.policy));
  }
  return policy;
}

Result<void> write_result(const RunFlags& flags, const device::LocalSession& session,
                          const device::GenerateOptions& options, const control::Policy* policy,
                          nlohmann::json result, const TextSink& sink,
                          const device::GenerationStats& stats) {
  const auto manifest = describe_run(session, options.seed);
  if (!manifest) {
    return fail(manifest.error());
  }
  result.update(report::to_json(*manifest));
  result.update(energy_json(options.energy, stats.tokens));
  result["pace"] = pace_json(options.pace);
  if (auto ok = add_output(result, sink, stats, policy, options.sampler); !ok) {
    return ok;
  }
  return report::write_json(flags.text.json, result);
}

Result<void> run(const RunFlags& flags) {
  auto options = flags.generation.options();
  if (!options) {
    return fail(options.error());
  }
  // What cannot work is told before models are loaded.
  if (auto ok = check_json(flags.text.json); !ok) {
    return ok;
  }
  const auto policy = choose_policy(flags);
  if (!policy) {
    return fail(policy.error());
  }
  const auto prompt = flags.text.find_prompt();
  if (!prompt) {
    return fail(prompt.error());
  }
  const auto pacing = flags.energy.open_pacing();
  const auto energy = flags.energy.open(SteadyClock());
  if (!pacing || !energy) {
    return fail(pacing ? energy.error() : pacing.error());
  }
  options->energy = energy->get();
  options->pace = pacing->get();
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
  if (!session.vocabulary_note().empty() && !flags.text.quiet) {
    messages.write(fmt::format("gelato: note: {}\n", session.vocabulary_note()));
  }
  const auto tokens = session.tokenize(*prompt, flags.text.chat);
  if (!tokens) {
    return fail(tokens.error());
  }

  const int text_to = text_descriptor(flags.text.json);
  Output out(text_to);
  TextSink sink(session.target(), flags.text.stops, &out);
  if (flags.text.show_origin) {
    sink.show_origin(report::terminal_of(text_to));
  }
  const Seconds decode_before = session.decode_time();
  const auto stats = session.generate(*tokens, *options, policy->get(), sink);
  sink.finish();
  if (!sink.text().ends_with('\n') && (stats || !sink.text().empty())) {
    out.write("\n");
  }
  if (!stats) {
    return fail(stats.error());
  }
  if (!flags.text.quiet) {
    messages.write(summary_line(*stats) + "\n" + energy_text(energy->get(), stats->tokens) +
                   pace_text(pacing->get()) + why_text(*policy ? (*policy)->why() : nullptr));
  }
  if (!flags.text.json.empty()) {
    const Seconds decoding = session.decode_time() - decode_before;
    if (auto ok = write_result(flags, session, *options, policy->get(), to_json(*stats, decoding),
                               sink, *stats);
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
  flags.text.add_prompt_to(app);
  flags.generation.add_to(app);
  app.add_option("--policy", flags.policy,
                 fmt::format("How long drafts are (default: {}); see below", kDefaultPolicy));
  flags.energy.add_to(app);
  flags.text.add_output_to(app);
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
