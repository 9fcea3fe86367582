// What a comparison says: in a table, in a sentence, in JSON.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
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

enum class Pays { kYes, kNo, kUnclear };

// "pays", "does not pay", "makes no clear difference".
std::string_view to_string(Pays pays);

// Whether speculation pays, and why. Costs are in steps of the target: the time that the target
// alone takes for a token.
struct Verdict {
  Pays pays = Pays::kUnclear;  // unclear when repetitions disagree
  std::string label;           // of the row it is about
  double speed = 0.0;          // relative to the target alone, median
  double draft_cost = 0.0;     // of one drafted token
  double pass_cost = 0.0;      // of one pass over a draft and a token
  double pass_tokens = 0.0;    // in that pass, on average
  double round_cost = 0.0;     // of the whole draft and the pass
  double committed = 0.0;      // tokens that a round brings
};

// About the fastest of our rows that drafted; nothing if none did.
std::optional<Verdict> judge_speculation(std::span<const Row> rows, const Row& alone);
// The same in two sentences; empty if none drafted.
std::string explain(std::span<const Row> rows, const Row& alone);

// {"median", "min", "max"}
nlohmann::json to_json(const report::Summary& summary);
// What `gelato demo` and `gelato bench local` say about a row; docs/json.md.
nlohmann::json to_json(const Row& row, const Row& alone);

}  // namespace gelato::cli
