#include "gelato/sim_summary.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace gelato::cli {
namespace {

using nlohmann::json;
using sim::Accounting;
using sim::Role;
using sim::Row;
using sim::Scenario;

constexpr double kMegahertz = 1e6;

// The rows of one cell.
struct CellRows {
  const sim::Cell* cell = nullptr;
  std::vector<const Row*> rows;

  [[nodiscard]] Accounting accounting() const { return cell->setting.accounting; }
};

std::vector<CellRows> by_cell(const Scenario& scenario, const std::vector<Row>& rows) {
  std::vector<CellRows> out(scenario.cells.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i].cell = &scenario.cells[i];
  }
  for (const Row& row : rows) {
    out[row.cell].rows.push_back(&row);
  }
  return out;
}

// The best baseline of a cell on each axis, each on its own; 0 without baselines.
struct Best {
  double tokens_per_s = 0.0;
  double joules_per_token = 0.0;
};

Best best_baseline(const Scenario& scenario, const CellRows& cell) {
  Best best;
  for (const Row* row : cell.rows) {
    if (scenario.entries[row->entry].role != Role::kBaseline) {
      continue;
    }
    const double joules = row->joules_per_token(cell.accounting());
    best.tokens_per_s = std::max(best.tokens_per_s, row->tokens_per_second(cell.accounting()));
    best.joules_per_token =
        best.joules_per_token > 0.0 ? std::min(best.joules_per_token, joules) : joules;
  }
  return best;
}

// GELATO's headline: at 1 MHz, against the best static or DSSD row.
void add_headline(const Scenario& scenario, const std::vector<CellRows>& cells, json& out) {
  for (const CellRows& cell : cells) {
    const auto* radio = std::get_if<link::Radio>(&cell.cell->setting.link.up);
    if (radio == nullptr || radio->bandwidth.value() != kMegahertz) {
      continue;
    }
    const Best best = best_baseline(scenario, cell);
    if (best.tokens_per_s == 0.0 || out.contains("throughput_gain_1mhz")) {
      return;
    }
    for (const Row* row : cell.rows) {
      const std::string& label = scenario.entries[row->entry].label;
      out["throughput_gain_1mhz"][label] =
          row->tokens_per_second(cell.accounting()) / best.tokens_per_s - 1.0;
      out["energy_saving_1mhz"][label] =
          1.0 - row->joules_per_token(cell.accounting()) / best.joules_per_token;
    }
  }
}

}  // namespace

std::optional<double> budget_error(const sim::Setting& setting, const Row& row) {
  if (!setting.budget.given()) {
    return std::nullopt;
  }
  Joules spent;
  Joules allowed;
  for (const sim::RunSummary& run : row.runs) {
    const auto& energy = run.total.energy;
    spent += setting.accounting == Accounting::kPaper ? energy.paper_accounting() : energy.total();
    allowed += setting.budget.allowance(run.total.rounds, run.total.tokens, run.total.elapsed);
  }
  return spent / allowed - 1.0;
}

json sim_summary(const Scenario& scenario, const std::vector<Row>& rows) {
  json out = json::object();
  const std::vector<CellRows> cells = by_cell(scenario, rows);
  add_headline(scenario, cells, out);
  return out;
}

}  // namespace gelato::cli
