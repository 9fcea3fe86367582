// gelato device: generate with a draft model here and a target at an edge.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "gelato/cli.h"
#include "gelato/commands.h"
#include "gelato/energy_options.h"
#include "gelato/generation.h"
#include "gelato/model_options.h"
#include "gelato/remote_options.h"
#include "gelato/report/output.h"
#include "gelato/report/terminal.h"
#include "gelato/text_task.h"
#include "gelato/why_report.h"

namespace gelato::cli {
namespace {

struct DeviceFlags {
  RemoteFlags remote;
  GenerationFlags generation;
  TextFlags text;
  EnergyFlags energy;
  std::string policy = kDefaultPolicy;
};

// What happens to the link, as notes on standard error.
class NoteLog final : public Log {
 public:
  explicit NoteLog(bool quiet) : quiet_(quiet) {}
  void write(LogLevel level, std::string_view line) override {
    if (!quiet_ && level >= LogLevel::kInfo) {
      Output(STDERR_FILENO).write("gelato: note: " + report::printable(line) + "\n");
    }
  }

 private:
  bool quiet_;
};

// A text that grows by turns: all of it is the next prompt, and the edge keeps what it has of that.
class Conversation {
 public:
  Conversation(const device::RemoteSession& session, bool chat) : session_(&session), chat_(chat) {}

  // The prompt of a turn in which the user says `line`.
  Result<std::vector<spec::Token>> say(const std::string& line) {
    if (!chat_) {
      text_ += text_.empty() ? line : "\n" + line;
      return session_->tokenize(text_, false);
    }
    messages_.push_back({.role = "user", .content = line});
    const auto text = session_->draft().apply_chat_template(messages_);
    return text ? session_->tokenize(*text, true) : fail(text.error());
  }
  void answered(const std::string& text) {
    text_ += text;
    messages_.push_back({.role = "assistant", .content = text});
  }

 private:
  const device::RemoteSession* session_;
  bool chat_;
  std::string text_;
  std::vector<engine::ChatMessage> messages_;
};

// One process's worth of turns.
class Turns {
 public:
  // `policy` learns from every turn for the next.
  Turns(device::RemoteSession& session, const DeviceFlags& flags,
        const device::GenerateOptions& options, control::Policy& policy)
      : session_(&session),
        flags_(&flags),
        options_(&options),
        policy_(&policy),
        conversation_(session, flags.text.chat),
        out_(text_descriptor(flags.text.json)) {}

  // Says `line` and shows what is written.
  Result<void> take(const std::string& line) {
    const auto prompt = conversation_.say(line);
    if (!prompt) {
      return fail(prompt.error());
    }
    const report::Terminal terminal = report::terminal_of(text_descriptor(flags_->text.json));
    TextSink sink(session_->draft(), flags_->text.stops, &out_);
    if (flags_->text.show_origin) {
      sink.show_origin(terminal);
    } else {
      sink.show_unverified(terminal);
    }
    const Seconds decoded = session_->decode_time();
    const auto stats = session_->generate(*prompt, *options_, *policy_, sink);
    sink.finish();
    if (!sink.text().ends_with('\n') && (stats || !sink.text().empty())) {
      out_.write("\n");
    }
    if (!stats) {
      return fail(stats.error());
    }
    conversation_.answered(sink.text());
    summarise(*stats);
    if (!flags_->text.json.empty()) {
      return write_result(*stats, sink, session_->decode_time() - decoded);
    }
    return out_.status();
  }

 private:
  void summarise(const device::GenerationStats& stats) const {
    if (flags_->text.quiet) {
      return;
    }
    std::string text = summary_line(stats) + "\n" + usage_line(session_->usage()) + "\n" +
                       energy_text(options_->energy, stats.tokens) + pace_text(options_->pace) +
                       why_text(policy_->why());
    if (stats.unverified > 0) {
      text += fmt::format(
          "{} of {} tokens were written by the draft model alone and verified by nobody: they are "
          "not the target's text, and what the target wrote after them continues them\n",
          stats.unverified, stats.tokens);
    }
    Output(STDERR_FILENO).write(text);
  }

  Result<void> write_result(const device::GenerationStats& stats, const TextSink& sink,
                            Seconds decoding) const {
    const auto manifest = describe_run({{"draft", session_->draft().info().path}}, options_->seed);
    if (!manifest) {
      return fail(manifest.error());
    }
    nlohmann::json result = to_json(stats, decoding);
    result.update(to_json(session_->usage()));
    result.update(report::to_json(*manifest));
    result["models"]["target"] = to_json(session_->info());
    result.update(energy_json(options_->energy, stats.tokens));
    result["pace"] = pace_json(options_->pace);
    result["unverified_tokens"] = stats.unverified;
    result["wire_mode"] = to_string(session_->mode(options_->sampler.temperature));
    result["link"] = link_json(flags_->remote.link);
    if (auto ok = add_output(result, sink, stats, policy_, options_->sampler); !ok) {
      return ok;
    }
    return report::write_json(flags_->text.json, result);
  }

  device::RemoteSession* session_;
  const DeviceFlags* flags_;
  const device::GenerateOptions* options_;
  control::Policy* policy_;
  Conversation conversation_;
  Output out_;
};

// A turn for each line, until the end of the input or Ctrl-C. A turn that fails ends nothing.
Result<void> converse(Turns& turns) {
  Output prompt(STDERR_FILENO);
  std::string line;
  while (!interrupted() && prompt.write("> ") && std::getline(std::cin, line)) {
    if (line.empty()) {
      continue;
    }
    if (auto ok = turns.take(line); !ok) {
      print_error(ok.error());
    }
  }
  prompt.write("\n");
  return {};
}

Result<void> generate(const DeviceFlags& flags) {
  auto options = flags.generation.options();
  if (!options) {
    return fail(options.error());
  }
  // What cannot work is told before models are loaded.
  if (auto ok = check_json(flags.text.json); !ok) {
    return ok;
  }
  const auto policy = control::make_policy(flags.policy);
  if (!policy) {
    return fail(policy.error());
  }
  const bool interactive = flags.text.asks_nothing();
  const auto prompt = interactive ? Result<std::string>("") : flags.text.find_prompt();
  if (!prompt) {
    return fail(prompt.error());
  }
  const SteadyClock clock;
  const auto pacing = flags.energy.open_pacing();
  const auto energy = flags.energy.open(clock);
  if (!pacing || !energy) {
    return fail(pacing ? energy.error() : pacing.error());
  }
  options->energy = energy->get();
  options->pace = pacing->get();
  auto remote = flags.remote.options(flags.policy, options->seed, clock);
  if (!remote) {
    return fail(remote.error());
  }
  const auto workplace = Workplace::create(flags.remote.verbose);
  if (!workplace) {
    return fail(workplace.error());
  }
  NoteLog notes(flags.text.quiet);
  const auto session =
      device::RemoteSession::open((*workplace)->backend(), clock, notes, std::move(*remote));
  if (!session) {
    return fail(session.error());
  }
  Turns turns(**session, flags, *options, **policy);
  auto ok = interactive ? converse(turns) : turns.take(*prompt);
  (*session)->close();
  return ok;
}

}  // namespace

int device_command(const std::vector<std::string>& arguments) {
  DeviceFlags flags;
  CLI::App app(
      "Generate with a draft model on this device and the target at an edge. Without a prompt, one "
      "is asked for, again and again.",
      "gelato device");
  set_up(app);
  flags.remote.add_to(app);
  flags.text.add_prompt_to(app);
  flags.generation.add_to(app);
  app.add_option("--policy", flags.policy,
                 fmt::format("How long drafts are (default: {}); see below", kDefaultPolicy));
  flags.energy.add_to(app);
  flags.text.add_output_to(app);
  app.footer(
      "Policies:\n" + control::policy_help() + "\nLinks:\n" + link::link_preset_help() +
      "\nExample:\n  gelato device --edge edge.local:8470 --ca edge.crt --token-file token \\\n"
      "    -p \"Once upon a time\" -n 64 --policy static:4 --link lte\n");
  int exit_code = kSuccess;
  if (!parse(app, arguments, exit_code)) {
    return exit_code;
  }
  const auto ok = generate(flags);
  return ok ? kSuccess : print_error(ok.error());
}

}  // namespace gelato::cli
