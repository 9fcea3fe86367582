#include "gelato/sim_summary.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
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

Role role(const Scenario& scenario, const Row& row) { return scenario.entries[row.entry].role; }

// The baselines of a cell that keep the budget.
std::vector<const Row*> baselines(const Scenario& scenario, const CellRows& cell) {
  std::vector<const Row*> out;
  std::copy_if(cell.rows.begin(), cell.rows.end(), std::back_inserter(out), [&](const Row* row) {
    return role(scenario, *row) == Role::kBaseline && keeps_budget(cell, *row);
  });
  return out;
}

// Null: there are none.
const Row* fastest(const std::vector<const Row*>& rows, Accounting accounting) {
  const auto slower = [accounting](const Row* a, const Row* b) {
    return a->tokens_per_second(accounting) < b->tokens_per_second(accounting);
  };
  return rows.empty() ? nullptr : *std::max_element(rows.begin(), rows.end(), slower);
}

// Of the rows that are as fast as `rate`, the one with the fewest joules per token; null: none is.
const Row* thriftiest_at(double rate, const std::vector<const Row*>& rows, Accounting accounting) {
  const Row* best = nullptr;
  for (const Row* row : rows) {
    if (row->tokens_per_second(accounting) >= rate * (1.0 - kEqualSpeed) &&
        (best == nullptr ||
         row->joules_per_token(accounting) < best->joules_per_token(accounting))) {
      best = row;
    }
  }
  return best;
}

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

// Of tokens/s, over the fastest baseline. NaN: there is none that keeps the budget.
double gain(const Scenario& scenario, const CellRows& cell, const Row& row) {
  const Row* best = fastest(baselines(scenario, cell), cell.accounting());
  return best == nullptr ? kNothing
                         : row.tokens_per_second(cell.accounting()) /
                                   best->tokens_per_second(cell.accounting()) -
                               1.0;
}

// Of J/token at the speed of the fastest baseline: the thriftiest of the contender's settings
// against the thriftiest baseline, both as fast as it. A contender that is never as fast counts at
// its fastest. NaN as above.
double saving(const Scenario& scenario, const CellRows& cell) {
  const Accounting accounting = cell.accounting();
  const std::vector<const Row*> others = baselines(scenario, cell);
  std::vector<const Row*> ours;
  for (const Row* row : cell.rows) {
    const Role is = role(scenario, *row);
    if (is == Role::kContender || (is == Role::kFrontier && keeps_budget(cell, *row))) {
      ours.push_back(row);
    }
  }
  const Row* best = fastest(others, accounting);
  if (best == nullptr) {
    return kNothing;
  }
  const double rate = best->tokens_per_second(accounting);
  const Row* row = thriftiest_at(rate, ours, accounting);
  row = row != nullptr ? row : fastest(ours, accounting);
  return 1.0 - row->joules_per_token(accounting) /
                   thriftiest_at(rate, others, accounting)->joules_per_token(accounting);
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

report::Summary gains_of(const Scenario& scenario, const std::vector<CellRows>& cells,
                         std::size_t entry) {
  std::vector<double> gains;
  gains.reserve(cells.size());
  for (const CellRows& cell : cells) {
    gains.push_back(gain(scenario, cell, *row_of(cell, entry)));
  }
  return report::Summary(std::move(gains));
}

report::Summary savings(const Scenario& scenario, const std::vector<CellRows>& cells) {
  std::vector<double> out;
  out.reserve(cells.size());
  for (const CellRows& cell : cells) {
    out.push_back(saving(scenario, cell));
  }
  return report::Summary(std::move(out));
}

// In how many cells each baseline is the fastest.
json best_baselines(const Scenario& scenario, const std::vector<CellRows>& cells) {
  json out = json::object();
  for (const CellRows& cell : cells) {
    if (const Row* best = fastest(baselines(scenario, cell), cell.accounting())) {
      json& count = out[scenario.entries[best->entry].label];
      count = (count.is_null() ? 0 : count.get<int>()) + 1;
    }
  }
  return out;
}

std::vector<CellRows> without_budget(const std::vector<CellRows>& cells) {
  std::vector<CellRows> out;
  std::copy_if(cells.begin(), cells.end(), std::back_inserter(out),
               [](const CellRows& cell) { return !cell.cell->setting.budget.given(); });
  return out;
}

// Of cells without a budget: with one, the oracle at a single price may fall short of a mixture.
report::Summary oracle_fractions(const std::vector<CellRows>& cells, std::size_t entry,
                                 std::size_t oracle) {
  std::vector<double> fractions;
  for (const CellRows& cell : without_budget(cells)) {
    fractions.push_back(row_of(cell, entry)->tokens_per_second(cell.accounting()) /
                        row_of(cell, oracle)->tokens_per_second(cell.accounting()));
  }
  return report::Summary(std::move(fractions));
}

// What a row needs beyond the thriftiest baseline of its cell, as a fraction.
double excess(const Scenario& scenario, const CellRows& cell, const Row& row) {
  double least = std::numeric_limits<double>::infinity();
  for (const Row* other : cell.rows) {
    if (role(scenario, *other) == Role::kBaseline) {
      least = std::min(least, other->joules_per_token(cell.accounting()));
    }
  }
  return row.joules_per_token(cell.accounting()) / least - 1.0;
}

// By how much the entry breaks its budget in cells in which at least one row keeps it, and how far
// it is from the least joules per token in the others.
void add_budgets(const Scenario& scenario, const std::vector<CellRows>& cells, std::size_t entry,
                 json& out) {
  double worst = 0.0;
  double waste = 0.0;
  std::size_t budgeted = 0;
  std::size_t infeasible = 0;
  for (const CellRows& cell : cells) {
    if (!cell.cell->setting.budget.given()) {
      continue;
    }
    ++budgeted;
    const bool feasible = std::any_of(cell.rows.begin(), cell.rows.end(), [&](const Row* row) {
      return !sim::is_oracle(row->policy) && budget_error(cell.cell->setting, *row) <= 0.0;
    });
    if (feasible) {
      worst = std::max(worst, *budget_error(cell.cell->setting, *row_of(cell, entry)));
    } else {
      ++infeasible;
      waste = std::max(waste, excess(scenario, cell, *row_of(cell, entry)));
    }
  }
  if (budgeted > 0) {
    out["max_budget_error"] = worst;
    out["infeasible_cells"] = infeasible;
    out["max_excess_j_per_token_infeasible"] = waste;
  }
}

void add_contest(const Scenario& scenario, const std::vector<CellRows>& cells, json& out) {
  const auto contender =
      find_entry(scenario, [](const sim::Entry& e) { return e.role == Role::kContender; });
  const auto single =
      find_entry(scenario, [](const sim::Entry& e) { return e.role == Role::kOneInFlight; });
  if (contender) {
    const report::Summary gains = gains_of(scenario, cells, *contender);
    const report::Summary saved = savings(scenario, cells);
    out["contender"] = scenario.entries[*contender].label;
    out["cells"] = cells.size();
    out["best_baseline_cells"] = best_baselines(scenario, cells);
    out["median_gain_tokens_per_s"] =
        gains_of(scenario, without_budget(cells), *contender).median();
    out["median_saving_j_per_token"] = saved.median();
    out["worst_cell_vs_best_baseline"] = gains.min();
    out["worst_cell_saving_j_per_token"] = saved.min();
    add_budgets(scenario, cells, *contender, out);
  }
  if (single) {
    out["median_gain_tokens_per_s_one_in_flight"] =
        gains_of(scenario, without_budget(cells), *single).median();
    out["worst_cell_vs_best_baseline_one_in_flight"] = gains_of(scenario, cells, *single).min();
  }
  const auto add_oracle = [&](auto entry, std::string_view oracle, const std::string& suffix) {
    const auto bound =
        find_entry(scenario, [oracle](const sim::Entry& e) { return e.text == oracle; });
    if (entry && bound) {
      const report::Summary fractions = oracle_fractions(cells, *entry, *bound);
      out["oracle_fraction_median" + suffix] = fractions.median();
      out["oracle_fraction_min" + suffix] = fractions.min();
      out["oracle_median_gain_tokens_per_s" + suffix] =
          gains_of(scenario, without_budget(cells), *bound).median();
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
