// gelato trace record.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>

#include "gelato/cli.h"
#include "gelato/model_options.h"
#include "gelato/pass_timing.h"
#include "gelato/report/digest.h"
#include "gelato/report/output.h"
#include "gelato/report/progress.h"
#include "gelato/sim/trace_file.h"
#include "gelato/trace.h"
#include "gelato/trace_prompts.h"
#include "gelato/trace_recorder.h"

namespace gelato::cli {
namespace {

constexpr std::size_t kMaxPromptFile = std::size_t{64} << 20U;
// What a lost power supply costs; writing takes a fraction of a second.
constexpr Seconds kSaveEvery(30.0);

struct RecordFlags {
  ModelFlags models;
  std::string prompts;
  std::string output;
  std::string json;
  std::uint32_t depth = 24;
  std::uint32_t predict = 128;
  double top_p = 0.99995;

  [[nodiscard]] std::string partial() const { return output + ".partial"; }
};

struct Inputs {
  std::vector<NamedPrompt> prompts;
  std::string source;  // file name and digest
};

Result<Inputs> read_inputs(const RecordFlags& flags) {
  const auto text = read_input(flags.prompts, kMaxPromptFile);
  if (!text) {
    return fail(text.error());
  }
  auto prompts = parse_prompts(*text, flags.prompts);
  const auto digest = report::sha256(*text);
  if (!prompts || !digest) {
    return fail(prompts ? digest.error() : prompts.error());
  }
  const std::string file = std::filesystem::path(flags.prompts).filename().string();
  return Inputs{std::move(*prompts), fmt::format("{} sha256:{}", file, *digest)};
}

Result<TraceRecorder> make_recorder(const RecordFlags& flags, const Inputs& inputs,
                                    const device::LocalSession& session) {
  const auto match =
      spec::match_vocabularies(session.target().vocabulary(), session.draft()->vocabulary());
  if (!match) {
    return fail(match.error());
  }
  std::vector<TracePromptTokens> prompts;
  for (const NamedPrompt& prompt : inputs.prompts) {
    auto tokens = session.tokenize(prompt.text, false);
    if (!tokens) {
      return fail(tokens.error().code,
                  fmt::format("the prompt {}: {}", prompt.id, tokens.error().message));
    }
    prompts.push_back({prompt.id, prompt.set, std::move(*tokens)});
  }
  return TraceRecorder::create(session.target(), *session.draft(), std::move(prompts),
                               {.depth = flags.depth,
                                .top_p = flags.top_p,
                                .predict = flags.predict,
                                .context_tokens = session.context_tokens(),
                                .target_threads = session.target_threads(),
                                .draft_threads = session.draft_threads(),
                                .common = match->common});
}

// A trace without prompts and times: what this recording is of.
sim::DraftTrace empty_trace(const RecordFlags& flags, const Inputs& inputs,
                            const report::RunManifest& manifest,
                            const device::LocalSession& session) {
  sim::DraftTrace trace;
  const auto model = [](const report::ModelFile& file) {
    return fmt::format("{} sha256:{}", file.file, file.sha256);
  };
  trace.version = report::version();
  trace.machine = fmt::format("{}, {} cores", manifest.machine.cpu, manifest.machine.cores);
  trace.target = model(manifest.models.at("target"));
  trace.draft = model(manifest.models.at("draft"));
  trace.source = inputs.source;
  trace.vocabulary = static_cast<std::uint32_t>(session.target().info().vocabulary_size);
  trace.depth = flags.depth;
  trace.top_p = flags.top_p;
  return trace;
}

// What an interrupted recording left behind, if it is of the same things; nothing if there is none.
Result<std::optional<sim::DraftTrace>> read_partial(const RecordFlags& flags,
                                                    const sim::DraftTrace& empty,
                                                    const TraceRecorder& recorder) {
  auto begun = sim::read_trace(flags.partial());
  if (!begun && begun.error().code == ErrorCode::kNotFound) {
    return std::nullopt;
  }
  Result<void> fits = begun ? recorder.check_begun(*begun) : fail(begun.error());
  if (fits && (begun->target != empty.target || begun->draft != empty.draft ||
               begun->source != empty.source || begun->depth != empty.depth ||
               begun->top_p != empty.top_p)) {
    fits = fail(ErrorCode::kInvalidArgument, "its models, prompts or options are others");
  }
  if (!fits) {
    return fail(fits.error().code,
                fmt::format("the recording that was begun in {} cannot go on: {}; remove that file "
                            "or choose another --output",
                            flags.partial(), fits.error().message));
  }
  return std::move(*begun);
}

Result<void> save(const std::string& path, const sim::DraftTrace& trace) {
  const auto bytes = sim::encode_trace(trace);
  return bytes ? report::write_output(path, *bytes) : fail(bytes.error());
}

// Records what is missing in `trace`. When it cannot finish, what is there goes to the partial
// file.
Result<void> record_rest(const RecordFlags& flags, TraceRecorder& recorder, const Clock& clock,
                         sim::DraftTrace& trace) {
  report::Progress progress("recording", recorder.prompts(), report::terminal_of(STDERR_FILENO),
                            clock,
                            [](std::string_view text) { Output(STDERR_FILENO).write(text); });
  Seconds saved = clock.now();
  while (trace.prompts.size() < recorder.prompts()) {
    progress.update(trace.prompts.size());
    if (auto ok = recorder.add_next(trace, [] { return !interrupted(); }); !ok) {
      if (trace.prompts.empty()) {
        return ok;
      }
      if (auto kept = save(flags.partial(), trace); !kept) {
        return kept;
      }
      return fail(
          ok.error().code,
          fmt::format("{}; the same command goes on after {} of {} prompts, which are in {}",
                      ok.error().message, trace.prompts.size(), recorder.prompts(),
                      flags.partial()));
    }
    if (clock.now() - saved > kSaveEvery) {
      if (auto kept = save(flags.partial(), trace); !kept) {
        return kept;
      }
      saved = clock.now();
    }
  }
  progress.update(recorder.prompts());
  return {};
}

Result<void> time_models(const RecordFlags& flags, const device::LocalSession& session,
                         std::string_view prompt, const Clock& clock, sim::DraftTrace& trace) {
  const auto tokens = session.tokenize(prompt, false);
  if (!tokens) {
    return fail(tokens.error());
  }
  auto timing = time_passes(session.target(), *session.draft(), *tokens, flags.depth,
                            session.target_threads(), session.draft_threads(), clock);
  if (!timing) {
    return fail(timing.error());
  }
  trace.draft_token = timing->draft_token;
  trace.verify = std::move(timing->verify);
  return {};
}

Result<void> check_flags(const RecordFlags& flags) {
  if (!flags.models.has_draft()) {
    return fail(ErrorCode::kInvalidArgument,
                "a trace needs a draft model; name one with --model-draft");
  }
  if (flags.output == "-") {
    return fail(ErrorCode::kInvalidArgument, "a trace goes to a file; name it with --output");
  }
  if (auto ok = engine::check({.temperature = 1.0, .top_p = flags.top_p}); !ok) {
    return ok;
  }
  if (auto ok = check_json(flags.json); !ok) {
    return ok;
  }
  return report::check_output(flags.output);
}

Result<void> finish(const RecordFlags& flags, const sim::DraftTrace& trace,
                    const report::RunManifest& manifest) {
  if (auto ok = save(flags.output, trace); !ok) {
    return ok;
  }
  std::error_code ignored;
  std::filesystem::remove(flags.partial(), ignored);
  const int text_to = text_descriptor(flags.json);
  Output out(text_to);
  out.write(trace_table(trace, report::terminal_of(text_to)));
  if (!flags.json.empty()) {
    nlohmann::json result = report::to_json(manifest);
    result["trace"] = describe_trace(trace);
    if (auto ok = report::write_json(flags.json, result); !ok) {
      return ok;
    }
  }
  return out.status();
}

Result<void> record(const RecordFlags& flags) {
  if (auto ok = check_flags(flags); !ok) {
    return ok;
  }
  const auto inputs = read_inputs(flags);
  if (!inputs) {
    return fail(inputs.error());
  }
  const auto workplace = Workplace::create(flags.models.verbose);
  if (!workplace) {
    return fail(workplace.error());
  }
  const auto opened = (*workplace)->open(flags.models);
  if (!opened) {
    return fail(opened.error());
  }
  const device::LocalSession& session = **opened;
  auto recorder = make_recorder(flags, *inputs, session);
  const auto manifest = describe_run(session, 0);
  if (!recorder || !manifest) {
    return fail(recorder ? manifest.error() : recorder.error());
  }
  const Clock& clock = (*workplace)->clock();
  sim::DraftTrace trace = empty_trace(flags, *inputs, *manifest, session);
  auto begun = read_partial(flags, trace, *recorder);
  if (!begun) {
    return fail(begun.error());
  }
  if (*begun) {
    trace = std::move(**begun);
  } else if (auto ok = time_models(flags, session, inputs->prompts[0].text, clock, trace); !ok) {
    return ok;
  }
  if (auto ok = record_rest(flags, *recorder, clock, trace); !ok) {
    return ok;
  }
  return finish(flags, trace, *manifest);
}

}  // namespace

int trace_record_command(const std::vector<std::string>& arguments) {
  RecordFlags flags;
  CLI::App app(
      "Record what the draft model proposes at every position of the target's own greedy texts. "
      "After an interrupt the same command goes on where it was.",
      "gelato trace record");
  set_up(app);
  flags.models.add_to(app);
  app.add_option("--prompts", flags.prompts,
                 "Prompts, a JSON object per line: {\"id\": ..., \"task\": ..., \"prompt\": ...}")
      ->required()
      ->type_name("FILE");
  app.add_option("-n,--predict", flags.predict, "Most positions of a prompt (default: 128)")
      ->type_name("N")
      ->check(in_range(1, 1LL << 20U));
  app.add_option("--depth", flags.depth, "Drafted tokens at every position (default: 24)")
      ->type_name("N")
      ->check(in_range(1, control::kMaxDraftLength));
  app.add_option("--top-p", flags.top_p,
                 "Mass of the top-p sets whose sizes are recorded (default: 0.99995)")
      ->type_name("P");
  app.add_option("-o,--output", flags.output, "The trace to write")->required()->type_name("FILE");
  add_json_option(app, flags.json);
  app.footer(
      "Example:\n  gelato trace record --prompts assets/traces/prompts.jsonl -o tale.trace\n");
  int exit_code = kSuccess;
  if (!parse(app, arguments, exit_code)) {
    return exit_code;
  }
  const auto ok = record(flags);
  return ok ? kSuccess : print_error(ok.error());
}

}  // namespace gelato::cli
