// Any result's JSON as one flat table, and what in it is worth a look first. The HTML page, the CSV
// and the overview on a terminal show the same table.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gelato/base/result.h"

namespace gelato::report {

// Of a result that is shown; what is beyond is left out, and `cut` says so.
inline constexpr std::size_t kMaxResultRows = 100'000;
inline constexpr std::size_t kMaxResultColumns = 512;

// Of a file with a result: a sweep of 100 000 rows has 100 MB.
inline constexpr std::size_t kMaxResultBytes = std::size_t{256} << 20U;
// Objects in objects; ours have four.
inline constexpr int kMaxResultDepth = 32;

// Reads a result; `file` only names it in messages.
// Errors: kCorrupt: no JSON (with the place), or no object; kLimitExceeded beyond kMaxResultDepth.
Result<nlohmann::json> parse_result(std::string_view text, std::string_view file);

struct ResultTable {
  std::string title;        // the scenario, or the benchmark
  std::string description;  // may be empty
  // Names of leaves, joined by dots where objects lie in each other: `cell.swept.link.bandwidth`.
  // What says which row it is comes first, then rates and energies, then the rest.
  std::vector<std::string> columns;
  // As wide as `columns`; cells are null, booleans, numbers or strings (a list is its JSON text, a
  // long one its length).
  std::vector<std::vector<nlohmann::json>> rows;
  bool cut = false;

  // What to plot: columns by index.
  struct View {
    std::optional<std::size_t> series;  // what a line of a plot stands for
    std::optional<std::size_t> x;       // what was swept; nothing: rows differ in their name only
    std::optional<std::size_t> y;       // tokens per second, or else the first number
    std::optional<std::size_t> cost;    // joules per token
    std::vector<std::size_t> filters;   // swept as well, and not told by x
    std::vector<std::size_t> swept;     // all that was swept
  } view;

  [[nodiscard]] std::optional<std::size_t> find(std::string_view column) const;
};

// The objects of result["rows"], or, for a result without rows, its own measurements: a row for
// each number and each {median, min, max}. Total: whatever is no result gives an empty table.
ResultTable flatten(const nlohmann::json& result);

// Where the joules of the table come from: the different values of its energy_source column and of
// the result's own key, in order. Empty without any.
std::vector<std::string> energy_sources(const nlohmann::json& result, const ResultTable& table);

// A number with four significant digits, a text as it is, a null as "-".
std::string cell_text(const nlohmann::json& cell);

// The table as RFC 4180 has it: CRLF, quotes where needed, numbers in full, nothing for null.
std::string render_csv(const nlohmann::json& result);

}  // namespace gelato::report
