// What a comparison says: in a table, in a sentence, in JSON.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "gelato/comparison.h"
#include "gelato/report/table.h"

namespace gelato::cli {

// One line per row: rate, acceptance, passes of the target, speed relative to `alone`; and the
// columns in `more`, whose function gives the cell of a row.
struct ExtraColumn {
  std::string title;
  std::function<std::string(const Row&)> cell;
};
std::string comparison_table(std::span<const Row> rows, const Row& alone,
                             const report::Terminal& terminal,
                             const std::vector<ExtraColumn>& more = {});

// What drafting and verifying cost, in steps of the target: the time that the target alone takes
// for a token.
struct StepCosts {
  double draft = 0.0;        // one drafted token
  double verify = 0.0;       // one pass over the draft and a token
  double pass_tokens = 0.0;  // in that pass, on average
  double committed = 0.0;    // by a round
};
StepCosts step_costs(const Row& alone, const Row& row);

// Whether speculation pays, and why, in a sentence or two: `best` is the fastest speculative row.
std::string explain(const Row& alone, const Row& best);
// The row with the highest median rate relative to `alone`; null if `rows` is empty.
const Row* fastest(std::span<const Row> rows, const Row& alone);

// {"median", "min", "max"}
nlohmann::json to_json(const report::Summary& summary);
// What `gelato demo` and `gelato bench local` say about a row; docs/json.md.
nlohmann::json to_json(const Row& row, const Row& alone);

}  // namespace gelato::cli
