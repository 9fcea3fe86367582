// gelato run: generate on this machine.
#include <fmt/format.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "gelato/cli.h"
#include "gelato/commands.h"
#include "gelato/device/text_stream.h"
#include "gelato/generation.h"
#include "gelato/model_options.h"
#include "gelato/report/digest.h"
#include "gelato/report/output.h"
#include "gelato/report/terminal.h"

namespace gelato::cli {
namespace {

constexpr const char* kDefaultPolicy = "static:4";

struct RunFlags {
  ModelFlags models;
  GenerationFlags generation;
  std::string prompt;
  std::string prompt_file;
  std::string policy;
  std::vector<std::string> stops;
  bool chat = false;
  bool show_origin = false;
  bool quiet = false;
  std::string json;
};

// `text` so that its origin shows: in colour, or in brackets where there is no colour.
std::string mark(std::string_view text, device::Origin origin, const report::Terminal& terminal) {
  switch (origin) {
    case device::Origin::kAccepted:
      return report::paint(text, report::Style::kGood, terminal);
    case device::Origin::kCorrection:
      return terminal.colour ? report::paint(text, report::Style::kBad, terminal)
                             : fmt::format("{{{}}}", text);
    case device::Origin::kBonus:
      return terminal.colour ? report::paint(text, report::Style::kWarn, terminal)
                             : fmt::format("[{}]", text);
    case device::Origin::kTarget:
      break;
  }
  return std::string(text);
}

// Prints tokens as they are committed and collects the text.
class PrintingSink final : public device::TokenSink {
 public:
  PrintingSink(const engine::LanguageModel& model, std::vector<std::string> stops, Output& out,
               const report::Terminal& terminal, bool show_origin)
      : stream_(model, std::move(stops),
                [this, &out, terminal, show_origin](std::string_view text, device::Origin origin) {
                  text_ += text;
                  if (show_origin) {
                    out.write(mark(text, origin, terminal));
                  } else {
                    out.write(text);
                  }
                }),
        out_(&out) {}

  bool on_commit(std::span<const device::CommittedToken> tokens) override {
    for (const device::CommittedToken& token : tokens) {
      if (!stream_.push(token)) {
        return false;
      }
    }
    return out_->status().has_value() && !interrupted();
  }
  void finish() { stream_.finish(); }
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] bool stopped() const { return stream_.stopped(); }

 private:
  device::TextStream stream_;
  Output* out_;
  std::string text_;
};

Result<std::string> find_prompt(const RunFlags& flags) {
  if (!flags.prompt.empty()) {
    return flags.prompt;
  }
  if (flags.prompt_file.empty() && ::isatty(STDIN_FILENO) != 0) {
    return fail(ErrorCode::kInvalidArgument,
                "there is no prompt; give one with --prompt, --file or on standard input");
  }
  auto text =
      read_input(flags.prompt_file.empty() ? "-" : flags.prompt_file, engine::kMaxTextBytes);
  if (text && text->ends_with('\n')) {
    text->pop_back();  // the end of the file's last line is not part of the prompt
  }
  if (text && text->empty()) {
    return fail(ErrorCode::kInvalidArgument,
                "the prompt is empty; give one with --prompt, --file or on standard input");
  }
  return text;
}

// Null: the target alone.
Result<std::unique_ptr<control::Policy>> choose_policy(const RunFlags& flags, bool has_draft) {
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

std::string_view stop_name(const device::GenerationStats& stats, const PrintingSink& sink) {
  if (stats.stop != device::StopReason::kSink) {
    return device::to_string(stats.stop);
  }
  return sink.stopped() ? "stop_string" : interrupted() ? "interrupted" : "closed_output";
}

Result<void> write_result(const RunFlags& flags, const Workplace& workplace,
                          const device::GenerateOptions& options, const std::string& policy,
                          nlohmann::json result, const PrintingSink& sink,
                          const device::GenerationStats& stats) {
  const auto manifest = workplace.manifest(options.seed);
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
  // Wrong usage is told before models are loaded.
  const bool has_draft =
      !flags.models.no_draft && (!flags.models.draft.empty() || flags.models.target.empty());
  const auto policy = choose_policy(flags, has_draft);
  if (!policy) {
    return fail(policy.error());
  }
  const auto prompt = find_prompt(flags);
  if (!prompt) {
    return fail(prompt.error());
  }
  auto opened = Workplace::open(flags.models);
  if (!opened) {
    return fail(opened.error());
  }
  Workplace& workplace = **opened;
  device::LocalSession& session = workplace.session();
  Output messages(STDERR_FILENO);
  if (!session.vocabulary_note().empty() && !flags.quiet) {
    messages.write(fmt::format("gelato: note: {}\n", session.vocabulary_note()));
  }
  const auto tokens = session.tokenize(*prompt, flags.chat);
  if (!tokens) {
    return fail(tokens.error());
  }

  // With the result on standard output, the text goes to standard error.
  const int text_to = flags.json == "-" ? STDERR_FILENO : STDOUT_FILENO;
  Output out(text_to);
  PrintingSink sink(session.target(), flags.stops, out, report::terminal_of(text_to),
                    flags.show_origin);
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
            write_result(flags, workplace, *options, name, to_json(*stats, decoding), sink, *stats);
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
  app.add_option("--json", flags.json, "Write the result as JSON; -: standard output")
      ->type_name("FILE");
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
