// gelato bench edge: many devices at one edge, beside the bare llama.cpp loop.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <optional>

#include "gelato/bare_loop.h"
#include "gelato/bench.h"
#include "gelato/cli.h"
#include "gelato/control/policy.h"
#include "gelato/device/remote_session.h"
#include "gelato/edge_bench_report.h"
#include "gelato/edge_process.h"
#include "gelato/link/link_spec.h"
#include "gelato/llama_server_load.h"
#include "gelato/load_process.h"
#include "gelato/model_options.h"
#include "gelato/prompts.h"
#include "gelato/report/manifest.h"
#include "gelato/report/output.h"
#include "gelato/report/progress.h"
#include "gelato/result_output.h"
#include "gelato/text_sink.h"

namespace gelato::cli {
namespace {

// Twice as many sessions as devices: a device opens its next one before the edge has closed the
// last.
std::uint32_t sessions_for(const EdgeBenchFlags& flags) {
  return std::min(2 * flags.devices, engine::kMaxSequences - 1);
}

Result<std::unique_ptr<EdgeProcess>> start_edge(const EdgeBenchFlags& flags,
                                                const std::string& target, const Clock& clock) {
  const std::string sessions = std::to_string(sessions_for(flags));
  return EdgeProcess::start(
      "",
      {"--model", target, "--max-sessions", sessions, "--max-sessions-per-client", sessions,
       "--batch-size", std::to_string(flags.batch_tokens), "--drain-timeout", "1"},
      clock);
}

Result<std::unique_ptr<LlamaServerLoad>> start_llama_server(
    const EdgeBenchFlags& flags, const engine::ModelInfo& target,
    const std::vector<std::vector<spec::Token>>& prompts, const Clock& clock) {
  return LlamaServerLoad::create({.program = flags.llama_server,
                                  .model = flags.target,
                                  .clients = flags.devices,
                                  .threads = engine::default_threads(target),
                                  .tokens = flags.tokens,
                                  .window = Seconds(flags.seconds),
                                  .prompts = prompts},
                                 clock);
}

// Every prompt once, by a device behind a relay.
Result<WirePerRound> measure_wire(const engine::Backend& backend, const Clock& clock, Log& log,
                                  const LoadPlan& plan, const std::string& draft) {
  device::RemoteSessionOptions options;
  options.edge = plan.edge;
  options.remote.interrupted = interrupted;
  options.draft_path = draft;
  auto session = device::RemoteSession::open(backend, clock, log, std::move(options));
  if (!session) {
    return fail(session.error());
  }
  std::uint64_t rounds = 0;
  for (const auto& prompt : plan.prompts) {
    const auto policy = control::make_policy(plan.policy);
    if (!policy) {
      return fail(policy.error());
    }
    TextSink sink((*session)->draft());
    const auto stats =
        (*session)->generate(prompt, {.sampler = {}, .max_tokens = plan.tokens}, **policy, sink);
    if (!stats) {
      return fail(stats.error());
    }
    rounds += stats->acceptance.rounds();
  }
  const device::RemoteUsage usage = (*session)->usage();
  const auto per_round = [&](std::uint64_t bytes) {
    return static_cast<double>(bytes) / static_cast<double>(rounds);
  };
  return WirePerRound{.app_up = per_round(usage.messages.up_bytes),
                      .app_down = per_round(usage.messages.down_bytes),
                      .up = per_round(usage.wire.up),
                      .down = per_round(usage.wire.down)};
}

std::uint32_t mean_length(const std::vector<std::vector<spec::Token>>& prompts) {
  std::size_t sum = 0;
  for (const auto& prompt : prompts) {
    sum += prompt.size();
  }
  return static_cast<std::uint32_t>(sum / prompts.size());
}

// The models by their paths, bundled where none is named.
Result<void> find_models(EdgeBenchFlags& flags) {
  if (!flags.target.empty() && !flags.draft.empty()) {
    return {};
  }
  if (!flags.target.empty() && flags.draft.empty()) {
    return fail(ErrorCode::kInvalidArgument, "--model needs its --model-draft");
  }
  const auto bundled = find_bundled_models();
  if (!bundled) {
    return fail(bundled.error());
  }
  if (flags.draft.empty()) {
    flags.draft = bundled->draft;
  }
  if (flags.edge.empty()) {
    flags.target = bundled->target;
  }
  return {};
}

Result<std::vector<std::vector<spec::Token>>> tokenize(const engine::LanguageModel& model,
                                                       const std::vector<std::string>& prompts) {
  std::vector<std::vector<spec::Token>> texts;
  for (const std::string& prompt : prompts) {
    auto tokens = model.tokenize(prompt, true, false);
    if (!tokens) {
      return fail(tokens.error());
    }
    texts.push_back(std::move(*tokens));
  }
  return texts;
}

Result<std::vector<EdgeBenchTurn>> take_turns(const EdgeBenchFlags& flags, const LoadPlan& plan,
                                              LoadProcesses& load, const EdgeProcess* edge,
                                              BareLoop* bare_loop, LlamaServerLoad* server,
                                              const Clock& clock) {
  const Seconds window(flags.seconds);
  const auto edge_cpu_s =
      edge != nullptr ? std::function([edge] { return edge->cpu_s(); }) : nullptr;
  report::Progress progress("measuring", flags.repetitions, report::terminal_of(STDERR_FILENO),
                            clock,
                            [](std::string_view text) { Output(STDERR_FILENO).write(text); });
  std::vector<EdgeBenchTurn> turns;
  for (std::uint32_t i = 0; i < flags.repetitions; ++i) {
    auto measured = load.run(window, edge_cpu_s);
    if (!measured) {
      return fail(measured.error());
    }
    EdgeBenchTurn& turn = turns.emplace_back();
    turn.load = std::move(*measured);
    for (const bool full : {false, true}) {
      if (bare_loop == nullptr) {
        break;
      }
      const std::uint32_t prompt = mean_length(plan.prompts);
      const auto rate = bare_loop->play(turn.load, prompt, plan.tokens, window * 0.5, full);
      if (!rate) {
        return fail(rate.error());
      }
      (full ? turn.bare_full : turn.bare) = *rate;
    }
    if (server != nullptr) {
      const auto rate = server->run();
      if (!rate) {
        return fail(rate.error());
      }
      turn.llama_server = *rate;
    }
    progress.update(i + 1);
  }
  return turns;
}

Result<void> bench_edge(EdgeBenchFlags flags) {
  if (auto ok = flags.output.check(); !ok) {
    return ok;
  }
  if (const auto policy = control::make_policy(flags.policy); !policy) {
    return fail(policy.error());
  }
  const SteadyClock clock;
  if (const auto link = flags.link.make(0, clock); !link) {
    return fail(link.error());
  }
  if (auto ok = find_models(flags); !ok) {
    return ok;
  }
  if (!flags.llama_server.empty() && flags.target.empty()) {
    return fail(ErrorCode::kInvalidArgument, "--llama-server beside --edge needs --model");
  }
  const auto log = make_stderr_log(LogLevel::kOff);
  const auto backend = engine::Backend::create(*log);
  if (!backend) {
    return fail(backend.error());
  }
  const auto draft = engine::LanguageModel::load(**backend, flags.draft, {.progress = {}});
  if (!draft) {
    return fail(draft.error());
  }
  std::unique_ptr<engine::LanguageModel> target;
  std::unique_ptr<BareLoop> bare_loop;
  if (!flags.target.empty()) {
    auto loaded = engine::LanguageModel::load(**backend, flags.target, {.progress = {}});
    if (!loaded) {
      return fail(loaded.error());
    }
    target = std::move(*loaded);
    auto made = BareLoop::create(*target, sessions_for(flags), flags.batch_tokens, clock);
    if (!made) {
      return fail(made.error());
    }
    bare_loop = std::move(*made);
  }
  std::unique_ptr<EdgeProcess> edge;
  LoadPlan plan;
  plan.devices = flags.devices;
  plan.policy = flags.policy;
  plan.replay = flags.replay;
  plan.tokens = flags.tokens;
  auto prompts = tokenize(**draft, flags.prompts.empty() ? builtin_prompts() : flags.prompts);
  if (!prompts) {
    return fail(prompts.error());
  }
  plan.prompts = std::move(*prompts);
  plan.edge.endpoint = flags.edge;
  plan.edge.insecure = flags.insecure;
  plan.link = flags.link;
  if (flags.edge.empty()) {
    auto started = start_edge(flags, flags.target, clock);
    if (!started) {
      return fail(started.error());
    }
    edge = std::move(*started);
    plan.edge.endpoint = edge->endpoint();
    plan.edge.insecure = true;
  }
  const auto load = LoadProcesses::start(plan, flags.devices_per_process, flags.draft, clock);
  if (!load) {
    return fail(load.error());
  }
  EdgeBenchOutcome outcome;
  outcome.processes = (*load)->size();
  const auto wire = measure_wire(**backend, clock, *log, plan, flags.draft);
  if (!wire) {
    return fail(wire.error());
  }
  outcome.wire = *wire;
  std::unique_ptr<LlamaServerLoad> server;
  if (!flags.llama_server.empty()) {
    auto started = start_llama_server(flags, target->info(), plan.prompts, clock);
    if (!started) {
      return fail(started.error());
    }
    server = std::move(*started);
  }
  auto turns = take_turns(flags, plan, **load, edge.get(), bare_loop.get(), server.get(), clock);
  if (!turns) {
    return fail(turns.error());
  }
  outcome.turns = std::move(*turns);
  if (edge) {
    outcome.rss_mb = edge->resident_mib();
  }
  const int text_to = flags.output.text_descriptor();
  Output out(text_to);
  out.write(render(flags, outcome, report::terminal_of(text_to)));
  if (flags.output.wanted()) {
    nlohmann::json result =
        report::to_json({.seed = 0, .machine = report::this_machine(), .models = {}});
    result.update(to_json(flags, outcome));
    if (auto ok = flags.output.write(result); !ok) {
      return ok;
    }
  }
  return out.status();
}

}  // namespace

int bench_edge_command(const std::vector<std::string>& arguments) {
  EdgeBenchFlags flags;
  CLI::App app(
      "Many devices at one edge: tokens per second beside the bare llama.cpp loop with the same "
      "batches, fairness, waits, bytes and memory.",
      "gelato bench edge");
  set_up(app);
  app.add_option("-m,--model", flags.target, "Target model, a GGUF file (default: the bundled one)")
      ->type_name("FILE");
  app.add_option("--model-draft", flags.draft, "Draft model, a GGUF file (-md)")->type_name("FILE");
  app.add_option("--devices", flags.devices, "Devices at a time (default: 32)")
      ->type_name("N")
      ->check(in_range(1, 127));
  app.add_option("--devices-per-process", flags.devices_per_process,
                 "Devices that share a process, each with a thread and a connection (default: 4)")
      ->type_name("N")
      ->check(in_range(1, 127));
  app.add_option("--policy", flags.policy, "Policy of every device (default: static:4)")
      ->type_name("POLICY");
  app.add_flag("--replay", flags.replay,
               "Devices replay drafts that were made before, so that drafting does not compete "
               "with the edge for this machine's cores");
  app.add_option("-n,--predict", flags.tokens, "Tokens of each text (default: 128)")
      ->type_name("N")
      ->check(in_range(1, 1U << 20U));
  app.add_option("-p,--prompt", flags.prompts,
                 "Prompt; may be repeated (default: two stories and a question)")
      ->take_all()
      ->type_name("TEXT");
  app.add_option("--seconds", flags.seconds, "Length of each measurement (default: 5)")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.1, 3600.0, "SECONDS"));
  app.add_option("--repetitions", flags.repetitions, "Measurements (default: 3)")
      ->type_name("N")
      ->check(in_range(1, 1000));
  app.add_option("-b,--batch-size", flags.batch_tokens,
                 "Tokens of one pass of the edge (default: 512)")
      ->type_name("N")
      ->check(in_range(proto::kMaxDraft + 1, 65536));
  app.add_option("--edge", flags.edge,
                 "Measure this edge instead of one in a child process; the bare loop then needs "
                 "--model")
      ->type_name("HOST:PORT");
  app.add_option("--llama-server", flags.llama_server,
                 "Also measure this llama-server of llama.cpp, the target alone streaming to as "
                 "many clients (scripts/llama_server.sh compiles it)")
      ->type_name("FILE");
  app.add_flag("--insecure", flags.insecure, "That edge is without TLS");
  flags.link.add_to(app);
  flags.output.add_to(app);
  app.footer("Links:\n" + link::link_preset_help() +
             "\nExample:\n  gelato bench edge --devices 32 --replay --json edge.json\n");
  int exit_code = kSuccess;
  if (!parse(app, arguments, exit_code)) {
    return exit_code;
  }
  const auto ok = bench_edge(flags);
  return ok ? kSuccess : print_error(ok.error());
}

}  // namespace gelato::cli
