#include "gelato/sim_summary.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "gelato/report/summary.h"
#include "gelato/sim/oracle.h"

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

// A budget counts as kept up to this much overspending.
constexpr double kBudgetTolerance = 0.02;
// As fast as another: within this.
constexpr double kEqualSpeed = 0.01;

bool keeps_budget(const CellRows& cell, const Row& row) {
  const auto error = budget_error(cell.cell->setting, row);
  return !error || *error <= kBudgetTolerance;
}

// What one row comes to beside the baselines of its cell that keep the budget. NaN: there are none.
struct Standing {
  double gain = std::numeric_limits<double>::quiet_NaN();    // of tokens/s over the fastest
  double saving = std::numeric_limits<double>::quiet_NaN();  // of J/token at equal speed
};

Standing standing(const Scenario& scenario, const CellRows& cell, const Row& row) {
  const Accounting accounting = cell.accounting();
  const double rate = row.tokens_per_second(accounting);
  const Row* fastest = nullptr;
  const Row* thriftiest = nullptr;  // of those that are as fast as the row
  for (const Row* other : cell.rows) {
    if (scenario.entries[other->entry].role != Role::kBaseline || !keeps_budget(cell, *other)) {
      continue;
    }
    const double other_rate = other->tokens_per_second(accounting);
    if (fastest == nullptr || other_rate > fastest->tokens_per_second(accounting)) {
      fastest = other;
    }
    if (other_rate >= rate * (1.0 - kEqualSpeed) &&
        (thriftiest == nullptr ||
         other->joules_per_token(accounting) < thriftiest->joules_per_token(accounting))) {
      thriftiest = other;
    }
  }
  if (fastest == nullptr) {
    return {};
  }
  const Row* equal = thriftiest != nullptr ? thriftiest : fastest;
  return {rate / fastest->tokens_per_second(accounting) - 1.0,
          1.0 - row.joules_per_token(accounting) / equal->joules_per_token(accounting)};
}

const Row* row_of(const CellRows& cell, std::size_t entry) {
  const auto found = std::find_if(cell.rows.begin(), cell.rows.end(),
                                  [entry](const Row* row) { return row->entry == entry; });
  return found == cell.rows.end() ? nullptr : *found;
}

// The first entry whose text or role fits.
template <class Fits>
std::optional<std::size_t> find_entry(const Scenario& scenario, Fits fits) {
  const auto found = std::find_if(scenario.entries.begin(), scenario.entries.end(), fits);
  return found == scenario.entries.end()
             ? std::nullopt
             : std::optional<std::size_t>(found - scenario.entries.begin());
}

struct Gains {
  report::Summary gain;
  report::Summary saving;
};

Gains gains_of(const Scenario& scenario, const std::vector<CellRows>& cells, std::size_t entry) {
  std::vector<double> gain;
  std::vector<double> saving;
  for (const CellRows& cell : cells) {
    const Standing at = standing(scenario, cell, *row_of(cell, entry));
    gain.push_back(at.gain);
    saving.push_back(at.saving);
  }
  return {report::Summary(std::move(gain)), report::Summary(std::move(saving))};
}

// Of cells without a budget: with one, the oracle at a single price may fall short of a mixture.
report::Summary oracle_fractions(const std::vector<CellRows>& cells, std::size_t entry,
                                 std::size_t oracle) {
  std::vector<double> fractions;
  for (const CellRows& cell : cells) {
    if (cell.cell->setting.budget.given()) {
      continue;
    }
    fractions.push_back(row_of(cell, entry)->tokens_per_second(cell.accounting()) /
                        row_of(cell, oracle)->tokens_per_second(cell.accounting()));
  }
  return report::Summary(std::move(fractions));
}

// Cells in which at least one row keeps the budget, and by how much the entry breaks it there.
void add_budgets(const std::vector<CellRows>& cells, std::size_t entry, json& out) {
  double worst = 0.0;
  std::size_t budgeted = 0;
  std::size_t infeasible = 0;
  for (const CellRows& cell : cells) {
    if (!cell.cell->setting.budget.given()) {
      continue;
    }
    ++budgeted;
    const bool feasible = std::any_of(cell.rows.begin(), cell.rows.end(), [&](const Row* row) {
      return budget_error(cell.cell->setting, *row) <= 0.0;
    });
    if (feasible) {
      worst = std::max(worst, *budget_error(cell.cell->setting, *row_of(cell, entry)));
    } else {
      ++infeasible;
    }
  }
  if (budgeted > 0) {
    out["max_budget_error"] = worst;
    out["infeasible_cells"] = infeasible;
  }
}

void add_contest(const Scenario& scenario, const std::vector<CellRows>& cells, json& out) {
  const auto contender =
      find_entry(scenario, [](const sim::Entry& e) { return e.role == Role::kContender; });
  const auto single =
      find_entry(scenario, [](const sim::Entry& e) { return e.role == Role::kOneInFlight; });
  if (contender) {
    const Gains gains = gains_of(scenario, cells, *contender);
    out["contender"] = scenario.entries[*contender].label;
    out["cells"] = cells.size();
    out["median_gain_tokens_per_s"] = gains.gain.median();
    out["median_saving_j_per_token"] = gains.saving.median();
    out["worst_cell_vs_best_baseline"] = gains.gain.min();
    out["worst_cell_saving_j_per_token"] = gains.saving.min();
    add_budgets(cells, *contender, out);
  }
  if (single) {
    const Gains gains = gains_of(scenario, cells, *single);
    out["median_gain_tokens_per_s_one_in_flight"] = gains.gain.median();
    out["worst_cell_vs_best_baseline_one_in_flight"] = gains.gain.min();
  }
  const auto add_oracle = [&](auto entry, std::string_view oracle, const std::string& suffix) {
    const auto bound =
        find_entry(scenario, [oracle](const sim::Entry& e) { return e.text == oracle; });
    if (entry && bound) {
      const report::Summary fractions = oracle_fractions(cells, *entry, *bound);
      out["oracle_fraction_median" + suffix] = fractions.median();
      out["oracle_fraction_min" + suffix] = fractions.min();
    }
  };
  add_oracle(contender, sim::kOracle, "");
  add_oracle(single, sim::kOracleOneInFlight, "_one_in_flight");
}

// How often the bounds of GELATO's Theorem 1 held, the second one also where its premise did.
void add_theorem(const std::vector<Row>& rows, json& out) {
  std::vector<sim::TheoremCheck> checks;
  for (const Row& row : rows) {
    if (row.theorem) {
      checks.push_back(*row.theorem);
    }
  }
  const auto count = [&checks](auto holds) {
    return std::count_if(checks.begin(), checks.end(), holds);
  };
  using Check = const sim::TheoremCheck&;
  if (!checks.empty()) {
    out["theorem_1"] = {{"runs", checks.size()},
                        {"energy_holds", count([](Check c) { return c.energy_holds(); })},
                        {"throughput_holds", count([](Check c) { return c.throughput_holds(); })},
                        {"premise_holds", count([](Check c) { return c.premise_holds(); })},
                        {"throughput_holds_under_premise",
                         count([](Check c) { return c.premise_holds() && c.throughput_holds(); })}};
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
  add_contest(scenario, cells, out);
  add_theorem(rows, out);
  return out;
}

}  // namespace gelato::cli
