#include "gelato/sim_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <variant>

#include "gelato/control/virtual_queue.h"
#include "gelato/report/table.h"
#include "gelato/sim_summary.h"

namespace gelato::cli {
namespace {

using nlohmann::json;
using sim::Accounting;

json to_json(const sim::Value& value) {
  return std::visit([](const auto& v) { return json(v); }, value);
}

std::string_view to_string(sim::Role role) {
  switch (role) {
    case sim::Role::kBaseline:
      return "baseline";
    case sim::Role::kContender:
      return "contender";
    case sim::Role::kOneInFlight:
      return "one-in-flight";
    case sim::Role::kFrontier:
      return "frontier";
    case sim::Role::kOther:
      return "other";
  }
  return "other";
}

json number(const std::optional<double>& value) { return value ? json(*value) : json(); }

// What the cell is, in units, whichever field it was swept by.
json cell_json(const sim::Cell& cell) {
  const sim::Setting& s = cell.setting;
  json out = json::object();
  const auto* radio = std::get_if<link::Radio>(&s.link.up);
  const auto* constant = std::get_if<link::ConstantRate>(&s.link.up);
  out["bandwidth_hz"] = radio != nullptr ? json(radio->bandwidth.value()) : json();
  out["uplink_bps"] = constant != nullptr ? json(constant->rate.value()) : json();
  out["rtt_s"] = 2.0 * s.link.delay.value();
  out["edge_pass_s"] = s.edge.time(1).value();
  out["draft_token_s"] = s.profile.draft_token.value();
  out["devices"] = s.devices;
  const auto joules = [](const std::optional<Joules>& j) { return j ? json(j->value()) : json(); };
  out["budget_j_per_round"] = joules(s.budget.per_round);
  out["budget_j_per_token"] = joules(s.budget.per_token);
  out["budget_w"] = s.budget.power ? json(s.budget.power->value()) : json();
  out["prompts"] = s.prompt_set;
  json& swept = out["swept"] = json::object();
  for (const auto& [name, value] : cell.swept) {
    swept[name] = to_json(value);
  }
  return out;
}

// Sum of one number over the runs of a row.
template <class Get>
double total(const sim::Row& row, Get get) {
  double sum = 0.0;
  for (const sim::RunSummary& run : row.runs) {
    sum += static_cast<double>(get(run));
  }
  return sum;
}

// The same of a count.
template <class Get>
std::uint64_t count(const sim::Row& row, Get get) {
  std::uint64_t sum = 0;
  for (const sim::RunSummary& run : row.runs) {
    sum += get(run);
  }
  return sum;
}

// Round by round, with the queue that GELATO's equation 7 makes of the joules.
json series_json(const sim::Setting& setting, const std::vector<sim::RoundSample>& rounds) {
  json out = {{"planned", json::array()},   {"drafted", json::array()},
              {"committed", json::array()}, {"elapsed_s", json::array()},
              {"energy_j", json::array()},  {"queue_j", json::array()}};
  control::VirtualQueue queue;
  for (const sim::RoundSample& round : rounds) {
    out["planned"].push_back(round.planned);
    out["drafted"].push_back(round.drafted);
    out["committed"].push_back(round.committed);
    out["elapsed_s"].push_back(round.elapsed.value());
    out["energy_j"].push_back(round.energy.value());
    if (setting.budget.per_round) {
      queue.step(round.energy, *setting.budget.per_round);
      out["queue_j"].push_back(queue.level().value());
    }
  }
  return out;
}

json spread(const sim::Row& row, Accounting accounting) {
  double low = std::numeric_limits<double>::infinity();
  double high = 0.0;
  for (const sim::RunSummary& run : row.runs) {
    const double rate = sim::tokens_per_second(run, accounting);
    low = std::min(low, rate);
    high = std::max(high, rate);
  }
  return {{"tokens_per_s_min", low}, {"tokens_per_s_max", high}};
}

json row_json(const sim::Scenario& scenario, const sim::Row& row) {
  const sim::Cell& cell = scenario.cells[row.cell];
  const Accounting accounting = cell.setting.accounting;
  const double rounds = total(row, [](const auto& r) { return r.total.rounds; });
  const double tokens = total(row, [](const auto& r) { return r.total.tokens; });
  const double drafted = total(row, [](const auto& r) { return r.total.drafted; });
  const double accepted = total(row, [](const auto& r) { return r.total.accepted; });
  const auto joules = [&](auto get) {
    return total(row, [&](const auto& r) { return get(r.total.energy).value(); });
  };
  json out = {
      {"cell", cell_json(cell)},
      {"label", scenario.entries[row.entry].label},
      {"role", to_string(scenario.entries[row.entry].role)},
      {"policy", row.policy},
      {"tuned", scenario.entries[row.entry].tune != sim::Tune::kNone},
      {"tokens_per_s", row.tokens_per_second(accounting)},
      {"joules_per_token", row.joules_per_token(accounting)},
      {"tokens_per_s_full_accounting", row.tokens_per_second(Accounting::kFull)},
      {"joules_per_token_full_accounting", row.joules_per_token(Accounting::kFull)},
      {"joules_per_token_paper_accounting", row.joules_per_token(Accounting::kPaper)},
      {"rounds", count(row, [](const auto& r) { return r.total.rounds; })},
      {"tokens", count(row, [](const auto& r) { return r.total.tokens; })},
      {"unverified", count(row, [](const auto& r) { return r.total.unverified; })},
      {"drafted", count(row, [](const auto& r) { return r.total.drafted; })},
      {"accepted", count(row, [](const auto& r) { return r.total.accepted; })},
      {"acceptance_rate", drafted > 0.0 ? accepted / drafted : 0.0},
      {"mean_accepted", accepted / rounds},
      {"mean_committed", tokens / rounds},
      {"mean_drafted", drafted / rounds},
      {"joules_per_round", row.joules_per_token(accounting) * tokens / rounds},
      {"uplink_bytes", count(row, [](const auto& r) { return r.total.up_bytes; })},
      {"downlink_bytes", count(row, [](const auto& r) { return r.total.down_bytes; })},
      {"edge_passes", count(row, [](const auto& r) { return r.edge_passes; })},
      {"edge_passes_per_token", total(row, [](const auto& r) { return r.total.passes; }) / tokens},
      {"stale_chunks", count(row, [](const auto& r) { return r.total.stale; })},
      {"edge_busy_s", total(row, [](const auto& r) { return r.edge_busy.value(); })},
      {"elapsed_s", total(row, [](const auto& r) { return r.elapsed.value(); })},
      {"energy_j", joules([](const auto& e) { return e.total(); })},
      {"energy_split_j",
       {{"draft", joules([](const auto& e) { return e.draft; })},
        {"tx", joules([](const auto& e) { return e.tx; })},
        {"rx", joules([](const auto& e) { return e.rx; })},
        {"wait", joules([](const auto& e) { return e.wait; })}}},
      {"energy_source", "model:" + cell.setting.profile.name},
      {"slowest_tokens_per_s",
       total(row, [](const auto& r) { return r.slowest; }) / static_cast<double>(row.runs.size())},
      {"fairness",
       total(row, [](const auto& r) { return r.fairness; }) / static_cast<double>(row.runs.size())},
      {"budget_error", number(budget_error(cell.setting, row))},
  };
  out.update(spread(row, accounting));
  if (!row.rounds.empty()) {
    out["series"] = series_json(cell.setting, row.rounds);
  }
  if (row.theorem) {
    out["theorem_1"] = {{"overshoot_j_per_round", row.theorem->overshoot.value()},
                        {"overshoot_bound_j_per_round", row.theorem->overshoot_bound.value()},
                        {"energy_holds", row.theorem->energy_holds()},
                        {"gap_tokens_per_s", row.theorem->gap},
                        {"gap_bound_tokens_per_s", row.theorem->gap_bound},
                        {"gap_noise_tokens_per_s", row.theorem->gap_noise},
                        {"shortfall_tokens_per_round", row.theorem->shortfall},
                        {"premise_holds", row.theorem->premise_holds()},
                        {"throughput_holds", row.theorem->throughput_holds()}};
  }
  return out;
}

}  // namespace

json sim_result(const sim::Scenario& scenario, const std::vector<sim::Row>& rows) {
  json out = {{"scenario", scenario.name},
              {"description", scenario.description},
              {"synthetic_trace", scenario.synthetic},
              {"seeds", scenario.seeds},
              {"accounting",
               scenario.cells.front().setting.accounting == Accounting::kPaper ? "paper" : "full"},
              {"summary", sim_summary(scenario, rows)},
              {"rows", json::array()}};
  for (const sim::Row& row : rows) {
    out["rows"].push_back(row_json(scenario, row));
  }
  return out;
}

std::string sim_table(const sim::Scenario& scenario, const std::vector<sim::Row>& rows,
                      const report::Terminal& terminal) {
  using report::Align;
  std::vector<report::Column> columns;
  for (const auto& [name, value] : scenario.cells.front().swept) {
    columns.push_back({name, Align::kRight});
  }
  const bool swept = !columns.empty();
  if (swept) {
    columns.assign(1, {"cell", Align::kLeft});
  }
  for (const char* title : {"policy", "tok/s", "J/token (model)", "tok/round", "passes/token"}) {
    columns.push_back({title, columns.size() == (swept ? 1U : 0U) ? Align::kLeft : Align::kRight});
  }
  report::Table table(columns);
  for (const sim::Row& row : rows) {
    const sim::Cell& cell = scenario.cells[row.cell];
    const Accounting accounting = cell.setting.accounting;
    std::vector<report::Cell> cells;
    if (swept) {
      std::string text;
      for (const auto& [name, value] : cell.swept) {
        text += (text.empty() ? "" : " ") + name + "=" + sim::to_string(value);
      }
      cells.emplace_back(text);
    }
    const double tokens = total(row, [](const auto& r) { return r.total.tokens; });
    const double rounds = total(row, [](const auto& r) { return r.total.rounds; });
    const double passes = total(row, [](const auto& r) { return r.total.passes; });
    cells.emplace_back(row.policy);
    cells.emplace_back(report::number(row.tokens_per_second(accounting), 2));
    cells.emplace_back(report::number(row.joules_per_token(accounting), 4));
    cells.emplace_back(report::number(tokens / rounds, 2));
    cells.emplace_back(report::number(passes / tokens, 3));
    table.add_row(std::move(cells));
  }
  return table.render(terminal);
}

}  // namespace gelato::cli
