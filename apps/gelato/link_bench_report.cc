#include "gelato/link_bench_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "gelato/comparison_report.h"
#include "gelato/report/table.h"

namespace gelato::cli {
namespace {

constexpr auto kSpeed = &RoundTotals::tokens_per_s;
constexpr auto kJoules = &RoundTotals::joules_per_token;

double acceptance(const RoundTotals& totals) {
  return static_cast<double>(totals.accepted) / static_cast<double>(totals.drafted);
}

nlohmann::json simulated_json(const RoundTotals& totals) {
  return {{"tokens_per_s", totals.tokens_per_s()},
          {"joules_per_token", totals.joules_per_token()},
          {"mean_committed", totals.per_round()},
          {"acceptance_rate", acceptance(totals)},
          {"edge_passes_per_token", totals.passes_per_token()}};
}

nlohmann::json sizes_json(const MessageSizes& sizes) {
  return {{"up_bytes", sizes.up},
          {"down_bytes", sizes.down},
          {"up_ack_bytes", sizes.up_ack},
          {"down_ack_bytes", sizes.down_ack}};
}

nlohmann::json row_json(const LinkBenchRow& row, const std::string& source) {
  const RoundTotals total = row.total();
  return {{"policy", row.policy},
          {"tokens_per_s", to_json(row.over(kSpeed))},
          {"joules_per_token", to_json(row.over(kJoules))},
          {"energy_source", source},
          {"rounds", total.rounds},
          {"tokens", total.tokens},
          {"drafted", total.drafted},
          {"accepted", total.accepted},
          {"acceptance_rate", acceptance(total)},
          {"mean_committed", total.per_round()},
          {"edge_passes_per_token", total.passes_per_token()},
          {"unverified_tokens", row.unverified},
          {"text_vs_target", row.unverified > 0 ? nlohmann::json() : to_string(row.agreement)},
          {"simulated", simulated_json(row.simulated)},
          {"ratio_tokens_per_s", to_json(row.ratio(kSpeed))},
          {"ratio_joules_per_token", to_json(row.ratio(kJoules))}};
}

// How the text of a row compares with the target's.
report::Cell text_cell(const LinkBenchRow& row) {
  if (row.unverified > 0) {
    return {"not the target's", report::Style::kWarn};
  }
  return row.agreement == Agreement::kIdentical ? "the target's" : "the target's up to a near tie";
}

}  // namespace

nlohmann::json to_json(const LinkBenchFlags& flags, const LinkBenchOutcome& outcome) {
  const std::string source = "model:" + outcome.profile;
  const EdgeProbe& edge = outcome.edge;
  nlohmann::json curve = nlohmann::json::array();
  for (const Seconds time : edge.curve.pass) {
    curve.push_back(time.value());
  }
  nlohmann::json result;
  result["benchmark"] = "link";
  result["link"] = flags.link.link;
  result["devices"] = flags.devices;
  result["pace"] = outcome.profile;
  result["energy_source"] = source;
  result["edge_pace"] = {{"pass_s", flags.edge_pass_s}, {"token_s", flags.edge_token_s}};
  result["prompts"] = flags.prompts;
  result["predict"] = flags.tokens;
  result["repetitions"] = flags.repetitions;
  result["late_draft_tokens"] = outcome.late;
  result["probe"] = {{"edge_curve_s", curve},
                     {"stack_s", edge.stack.value()},
                     {"drafts", sizes_json(edge.drafts)},
                     {"writes", sizes_json(edge.writes)}};
  result["max_error_tokens_per_s"] = outcome.max_error(kSpeed);
  result["max_error_joules_per_token"] = outcome.max_error(kJoules);
  for (const LinkBenchRow& row : outcome.rows) {
    result["rows"].push_back(row_json(row, source));
  }
  return result;
}

std::string render(const LinkBenchFlags& flags, const LinkBenchOutcome& outcome,
                   const report::Terminal& terminal) {
  constexpr auto kRight = report::Align::kRight;
  const auto ratio = [](const report::Summary& summary) {
    return fmt::format("{} ({}..{})", report::number(summary.median(), 3),
                       report::number(summary.min(), 3), report::number(summary.max(), 3));
  };
  report::Table table({{.title = flags.link.link},
                       {.title = "tok/s live", .align = kRight},
                       {.title = "simulated", .align = kRight},
                       {.title = "live / simulated", .align = kRight},
                       {.title = "mJ/token live", .align = kRight},
                       {.title = "simulated", .align = kRight},
                       {.title = "live / simulated", .align = kRight},
                       {.title = "per round", .align = kRight},
                       {.title = "simulated", .align = kRight},
                       {.title = "passes/token", .align = kRight},
                       {.title = "text"}});
  for (const LinkBenchRow& row : outcome.rows) {
    const RoundTotals total = row.total();
    table.add_row({row.policy, report::number(row.over(kSpeed).median(), 2),
                   report::number(row.simulated.tokens_per_s(), 2), ratio(row.ratio(kSpeed)),
                   report::number(1e3 * row.over(kJoules).median(), 1),
                   report::number(1e3 * row.simulated.joules_per_token(), 1),
                   ratio(row.ratio(kJoules)), report::number(total.per_round(), 2),
                   report::number(row.simulated.per_round(), 2),
                   report::number(total.passes_per_token(), 3), text_cell(row)});
  }
  return table.render(terminal) +
         fmt::format(
             "\nLink emulated; drafting paced to the profile {0} ({1} tokens were late); a pass of "
             "the edge {2}. Joules are modelled (model:{0}), live and simulated.\n"
             "Live differs from simulated by at most {3:.1f} % in tok/s and {4:.1f} % in "
             "J/token.\n",
             outcome.profile, outcome.late,
             flags.edge_pass_s > 0.0
                 ? fmt::format("paced to {:g} ms and {:g} ms per further token",
                               flags.edge_pass_s * 1e3, flags.edge_token_s * 1e3)
                 : "as fast as it is here",
             100.0 * outcome.max_error(kSpeed), 100.0 * outcome.max_error(kJoules));
}

}  // namespace gelato::cli
