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
// columns in `more`, whose function gives the cell of the row with that index.
struct ExtraColumn {
  std::string title;
  std::function<std::string(std::size_t row)> cell;
};
std::string comparison_table(std::span<const Row> rows, const Row& alone,
                             const report::Terminal& terminal,
                             const std::vector<ExtraColumn>& more = {});

// "48.4 %"; "-" for a fraction that is not finite.
std::string percent(double fraction);

// Whether speculation pays, and why, in two sentences: about the fastest of our rows that drafted.
// Empty if none did.
std::string explain(std::span<const Row> rows, const Row& alone);

// {"median", "min", "max"}
nlohmann::json to_json(const report::Summary& summary);
// What `gelato demo` and `gelato bench local` say about a row; docs/json.md.
nlohmann::json to_json(const Row& row, const Row& alone);

}  // namespace gelato::cli
