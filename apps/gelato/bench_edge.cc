// gelato bench edge: many devices at one edge, beside the bare llama.cpp loop.
#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <limits>
#include <optional>

#include "gelato/bare_loop.h"
#include "gelato/bench.h"
#include "gelato/cli.h"
#include "gelato/comparison_report.h"
#include "gelato/control/policy.h"
#include "gelato/device/remote_session.h"
#include "gelato/edge_load.h"
#include "gelato/edge_process.h"
#include "gelato/model_options.h"
#include "gelato/prompts.h"
#include "gelato/report/manifest.h"
#include "gelato/report/output.h"
#include "gelato/report/progress.h"
#include "gelato/text_sink.h"

namespace gelato::cli {
namespace {

struct EdgeBenchFlags {
  std::string target;  // empty: the bundled models
  std::string draft;
  std::string edge;  // empty: a child process
  bool insecure = false;
  std::uint32_t devices = 32;
  std::string policy = "static:4";
  bool replay = false;
  std::uint32_t tokens = 128;
  double seconds = 5.0;
  std::uint32_t repetitions = 3;
  std::uint32_t batch_tokens = 512;
  std::vector<std::string> prompts;
  std::string json;
};

// One turn: the devices, then the bare loop twice.
struct Turn {
  LoadResult load;
  std::optional<BareRate> bare;       // the load's batches
  std::optional<BareRate> bare_full;  // every pass with all devices
};

// Of one device that goes through a relay, which counts the bytes.
struct WirePerRound {
  double app_up = 0.0;
  double app_down = 0.0;
  double up = 0.0;
  double down = 0.0;
};

struct Outcome {
  std::vector<Turn> turns;
  WirePerRound wire;
  double rss_mb = std::numeric_limits<double>::quiet_NaN();

  [[nodiscard]] report::Summary over(double (*quantity)(const Turn&)) const {
    std::vector<double> values;
    for (const Turn& turn : turns) {
      values.push_back(quantity(turn));
    }
    return report::Summary(std::move(values));
  }
  // One time of every verdict of every turn.
  [[nodiscard]] report::Summary times(Seconds AnsweredDraft::*time) const {
    std::vector<double> values;
    for (const Turn& turn : turns) {
      for (const auto& device : turn.load.answers) {
        for (const AnsweredDraft& answer : device) {
          values.push_back((answer.*time).value());
        }
      }
    }
    return report::Summary(std::move(values));
  }
};

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

double bare(const Turn& turn) { return turn.bare ? turn.bare->tokens_per_s : kUnknown; }
double bare_full(const Turn& turn) {
  return turn.bare_full ? turn.bare_full->tokens_per_s : kUnknown;
}
double speed_by_cpu(const Turn& turn) {
  return turn.load.tokens_per_s() * turn.load.window.value() / turn.load.edge_cpu_s;
}
double bare_by_cpu(const Turn& turn) { return turn.bare ? turn.bare->tokens_per_cpu_s : kUnknown; }
double efficiency_by_cpu(const Turn& turn) { return speed_by_cpu(turn) / bare_by_cpu(turn); }
double round_fairness(const Turn& turn) { return turn.load.round_fairness(); }
double speed(const Turn& turn) { return turn.load.tokens_per_s(); }
double efficiency(const Turn& turn) { return turn.load.tokens_per_s() / bare(turn); }
double full_efficiency(const Turn& turn) { return turn.load.tokens_per_s() / bare_full(turn); }
double fairness(const Turn& turn) { return turn.load.fairness(); }
double occupancy(const Turn& turn) { return turn.load.occupancy(); }
double busy(const Turn& turn) { return turn.load.busy(); }
double app_up(const Turn& turn) { return turn.load.up_bytes_per_round(); }
double app_down(const Turn& turn) { return turn.load.down_bytes_per_round(); }
double mean_draft(const Turn& turn) { return turn.load.mean_draft(); }

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
  for (const std::string& prompt : plan.prompts) {
    const auto tokens = (*session)->tokenize(prompt, false);
    const auto policy = control::make_policy(plan.policy);
    if (!tokens || !policy) {
      return fail(tokens ? policy.error() : tokens.error());
    }
    TextSink sink((*session)->draft());
    const auto stats =
        (*session)->generate(*tokens, {.sampler = {}, .max_tokens = plan.tokens}, **policy, sink);
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

nlohmann::json result_of(const EdgeBenchFlags& flags, const Outcome& outcome) {
  const report::Summary verdict = outcome.times(&AnsweredDraft::waited);
  nlohmann::json result;
  result["benchmark"] = "edge";
  result["devices"] = flags.devices;
  result["policy"] = flags.policy;
  result["drafts"] = flags.replay ? "replayed" : "drafted";
  result["repetitions"] = outcome.turns.size();
  result["window_s"] = flags.seconds;
  result["predict"] = flags.tokens;
  result["tokens_per_s"] = to_json(outcome.over(speed));
  result["bare_tokens_per_s"] = to_json(outcome.over(bare));
  result["bare_full_tokens_per_s"] = to_json(outcome.over(bare_full));
  result["batch_efficiency"] = to_json(outcome.over(efficiency));
  result["full_batch_efficiency"] = to_json(outcome.over(full_efficiency));
  result["fairness_min_over_mean"] = to_json(outcome.over(fairness));
  result["tokens_per_edge_cpu_s"] = to_json(outcome.over(speed_by_cpu));
  result["bare_tokens_per_cpu_s"] = to_json(outcome.over(bare_by_cpu));
  result["cpu_efficiency"] = to_json(outcome.over(efficiency_by_cpu));
  result["fairness_rounds_min_over_mean"] = to_json(outcome.over(round_fairness));
  result["batch_sessions_mean"] = to_json(outcome.over(occupancy));
  result["draft_tokens_mean"] = to_json(outcome.over(mean_draft));
  result["edge_busy_fraction"] = to_json(outcome.over(busy));
  result["verdict_p50_s"] = verdict.percentile(50.0);
  result["verdict_p95_s"] = verdict.percentile(95.0);
  result["verdict_p99_s"] = verdict.percentile(99.0);
  result["queue_p50_s"] = outcome.times(&AnsweredDraft::queued).median();
  result["pass_p50_s"] = outcome.times(&AnsweredDraft::pass).median();
  result["uplink_app_bytes_per_round"] = outcome.wire.app_up;
  result["downlink_app_bytes_per_round"] = outcome.wire.app_down;
  result["uplink_wire_bytes_per_round"] = outcome.wire.up;
  result["downlink_wire_bytes_per_round"] = outcome.wire.down;
  result["load_uplink_app_bytes_per_round"] = to_json(outcome.over(app_up));
  result["load_downlink_app_bytes_per_round"] = to_json(outcome.over(app_down));
  result["rss_mb"] = outcome.rss_mb;
  return result;
}

std::string spread(const report::Summary& summary, int digits, double scale = 1.0) {
  return fmt::format("{} ({} to {})", report::number(summary.median() * scale, digits),
                     report::number(summary.min() * scale, digits),
                     report::number(summary.max() * scale, digits));
}

std::string report_text(const EdgeBenchFlags& flags, const Outcome& outcome,
                        const report::Terminal& terminal) {
  const report::Summary verdict = outcome.times(&AnsweredDraft::waited);
  const auto ms = [](double seconds) { return report::number(seconds * 1000.0, 1); };
  report::Table table({{.title = fmt::format("{} devices, {}, drafts {}", flags.devices,
                                             flags.policy, flags.replay ? "replayed" : "made")},
                       {.title = "median (min to max)", .align = report::Align::kRight}});
  table.add_row({"tok/s, all devices", spread(outcome.over(speed), 0)});
  table.add_row({"tok/s, bare llama.cpp, same batches", spread(outcome.over(bare), 0)});
  table.add_row(
      {"tok/s, bare llama.cpp, all devices in every batch", spread(outcome.over(bare_full), 0)});
  table.add_row({"of the bare loop, %", spread(outcome.over(efficiency), 1, 100.0)});
  table.add_row(
      {"of the bare loop by processor time, %", spread(outcome.over(efficiency_by_cpu), 1, 100.0)});
  table.add_row({"slowest device / mean, tokens", spread(outcome.over(fairness), 2)});
  table.add_row({"slowest device / mean, rounds", spread(outcome.over(round_fairness), 2)});
  table.add_row({"devices in a batch", spread(outcome.over(occupancy), 1)});
  table.add_row({"edge inside passes, %", spread(outcome.over(busy), 1, 100.0)});
  table.add_row({"verdict p50 / p95 / p99, ms",
                 fmt::format("{} / {} / {}", ms(verdict.percentile(50.0)),
                             ms(verdict.percentile(95.0)), ms(verdict.percentile(99.0)))});
  table.add_row({"of it in the queue / in the pass, p50, ms",
                 fmt::format("{} / {}", ms(outcome.times(&AnsweredDraft::queued).median()),
                             ms(outcome.times(&AnsweredDraft::pass).median()))});
  table.add_row({"up per round, bytes of messages / on the wire",
                 fmt::format("{:.0f} / {:.0f}", outcome.wire.app_up, outcome.wire.up)});
  table.add_row({"down per round, bytes of messages / on the wire",
                 fmt::format("{:.0f} / {:.0f}", outcome.wire.app_down, outcome.wire.down)});
  table.add_row({"memory of the edge, MB", report::number(outcome.rss_mb, 0)});
  return table.render(terminal);
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

Result<std::vector<Turn>> take_turns(const EdgeBenchFlags& flags, const LoadPlan& plan,
                                     EdgeLoad& load, BareLoop* bare_loop, const Clock& clock) {
  report::Progress progress("measuring", flags.repetitions, report::terminal_of(STDERR_FILENO),
                            clock,
                            [](std::string_view text) { Output(STDERR_FILENO).write(text); });
  std::vector<Turn> turns;
  for (std::uint32_t i = 0; i < flags.repetitions; ++i) {
    auto measured = load.run();
    if (!measured) {
      return fail(measured.error());
    }
    Turn& turn = turns.emplace_back();
    turn.load = std::move(*measured);
    for (const bool full : {false, true}) {
      if (bare_loop == nullptr) {
        break;
      }
      const auto prompt = static_cast<std::uint32_t>(load.prompts().front().size());
      const auto rate = bare_loop->play(turn.load, prompt, plan.tokens, plan.window * 0.5, full);
      if (!rate) {
        return fail(rate.error());
      }
      (full ? turn.bare_full : turn.bare) = *rate;
    }
    progress.update(i + 1);
  }
  return turns;
}

Result<void> bench_edge(EdgeBenchFlags flags) {
  if (auto ok = check_json(flags.json); !ok) {
    return ok;
  }
  if (const auto policy = control::make_policy(flags.policy); !policy) {
    return fail(policy.error());
  }
  if (auto ok = find_models(flags); !ok) {
    return ok;
  }
  const SteadyClock clock;
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
  plan.window = Seconds(flags.seconds);
  plan.prompts = flags.prompts.empty() ? builtin_prompts() : flags.prompts;
  plan.edge.endpoint = flags.edge;
  plan.edge.insecure = flags.insecure;
  if (flags.edge.empty()) {
    auto started = start_edge(flags, flags.target, clock);
    if (!started) {
      return fail(started.error());
    }
    edge = std::move(*started);
    plan.edge.endpoint = edge->endpoint();
    plan.edge.insecure = true;
    plan.edge_cpu_s = [running = edge.get()] { return running->cpu_s(); };
  }
  auto load = EdgeLoad::create(plan, **draft, clock, *log);
  if (!load) {
    return fail(load.error());
  }
  Outcome outcome;
  const auto wire = measure_wire(**backend, clock, *log, plan, flags.draft);
  if (!wire) {
    return fail(wire.error());
  }
  outcome.wire = *wire;
  auto turns = take_turns(flags, plan, **load, bare_loop.get(), clock);
  if (!turns) {
    return fail(turns.error());
  }
  outcome.turns = std::move(*turns);
  if (edge) {
    outcome.rss_mb = edge->resident_mib();
  }
  const int text_to = text_descriptor(flags.json);
  Output out(text_to);
  out.write(report_text(flags, outcome, report::terminal_of(text_to)));
  if (!flags.json.empty()) {
    nlohmann::json result =
        report::to_json({.seed = 0, .machine = report::this_machine(), .models = {}});
    result.update(result_of(flags, outcome));
    if (auto ok = report::write_json(flags.json, result); !ok) {
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
  app.add_flag("--insecure", flags.insecure, "That edge is without TLS");
  add_json_option(app, flags.json);
  app.footer("\nExample:\n  gelato bench edge --devices 32 --replay --json edge.json\n");
  int exit_code = kSuccess;
  if (!parse(app, arguments, exit_code)) {
    return exit_code;
  }
  const auto ok = bench_edge(flags);
  return ok ? kSuccess : print_error(ok.error());
}

}  // namespace gelato::cli
