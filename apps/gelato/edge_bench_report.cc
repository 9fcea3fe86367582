#include "gelato/edge_bench_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "gelato/comparison_report.h"
#include "gelato/report/table.h"

namespace gelato::cli {
namespace {

using Turn = EdgeBenchTurn;

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
double edge_cpu_per_token(const Turn& turn) { return 1.0 / speed_by_cpu(turn); }
double bare_cpu_per_token(const Turn& turn) { return 1.0 / bare_by_cpu(turn); }
double server_speed(const Turn& turn) {
  return turn.llama_server ? turn.llama_server->tokens_per_s : kUnknown;
}
double server_cpu_per_token(const Turn& turn) {
  return turn.llama_server ? turn.llama_server->cpu_s_per_token : kUnknown;
}
double ratio_to_server(const Turn& turn) { return speed(turn) / server_speed(turn); }
double mean_draft(const Turn& turn) { return turn.load.mean_draft(); }

std::string spread(const report::Summary& summary, int digits, double scale = 1.0) {
  return fmt::format("{} ({} to {})", report::number(summary.median() * scale, digits),
                     report::number(summary.min() * scale, digits),
                     report::number(summary.max() * scale, digits));
}

}  // namespace

nlohmann::json to_json(const EdgeBenchFlags& flags, const EdgeBenchOutcome& outcome) {
  const report::Summary verdict = outcome.times(&AnsweredDraft::waited);
  nlohmann::json result;
  result["benchmark"] = "edge";
  result["devices"] = flags.devices;
  result["processes"] = outcome.processes;
  result["link"] = link_json(flags.link);
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
  result["edge_cpu_s_per_token"] = to_json(outcome.over(edge_cpu_per_token));
  result["bare_cpu_s_per_token"] = to_json(outcome.over(bare_cpu_per_token));
  result["llama_server_tokens_per_s"] = to_json(outcome.over(server_speed));
  result["llama_server_cpu_s_per_token"] = to_json(outcome.over(server_cpu_per_token));
  result["ratio_vs_llama_server"] = to_json(outcome.over(ratio_to_server));
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

std::string render(const EdgeBenchFlags& flags, const EdgeBenchOutcome& outcome,
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
  table.add_row(
      {"edge's processor time per token, ms", spread(outcome.over(edge_cpu_per_token), 3, 1000.0)});
  if (!flags.llama_server.empty()) {
    table.add_row(
        {"tok/s, llama-server streaming, target alone", spread(outcome.over(server_speed), 0)});
    table.add_row({"its processor time per token, ms",
                   spread(outcome.over(server_cpu_per_token), 3, 1000.0)});
    table.add_row({"tok/s, devices / llama-server", spread(outcome.over(ratio_to_server), 2)});
  }
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

}  // namespace gelato::cli
