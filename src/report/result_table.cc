#include "gelato/report/result_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

namespace gelato::report {
namespace {

using nlohmann::json;

constexpr std::string_view kSwept = "cell.swept.";
constexpr std::string_view kCell = "cell.";

// A text of a result is at most this long in a table.
constexpr std::size_t kMaxText = 4096;
// A list that is longer is only counted: it is no cell of a table.
constexpr std::size_t kMaxListed = 32;

// What the manifest holds, and what is no measurement.
const std::set<std::string, std::less<>>& outside_of_rows() {
  static const std::set<std::string, std::less<>> keys = {
      "version", "commit",   "seed",        "machine", "models",
      "rows",    "scenario", "description", "summary", "benchmark"};
  return keys;
}

// The rank of a column: what says which row it is, then rates and energies, then the rest.
std::size_t rank(std::string_view name) {
  constexpr std::array<std::string_view, 10> kFirst = {"label",
                                                       "measure",
                                                       "value",
                                                       kSwept,
                                                       "policy",
                                                       "tokens_per_s.",
                                                       "tokens_per_s",
                                                       "decode_tokens_per_s",
                                                       "joules_per_token",
                                                       "energy_source"};
  for (std::size_t i = 0; i < kFirst.size(); ++i) {
    if (name == kFirst[i] || (kFirst[i].ends_with('.') && name.starts_with(kFirst[i]))) {
      return i;
    }
  }
  return kFirst.size();
}

json leaf(const json& value) {
  if (value.is_array() && value.size() > kMaxListed) {
    return fmt::format("[{} values]", value.size());
  }
  if (value.is_array() || value.is_object() || value.is_binary()) {
    return value.dump(-1, ' ', true, json::error_handler_t::replace).substr(0, kMaxText);
  }
  if (value.is_string()) {
    return value.get_ref<const std::string&>().substr(0, kMaxText);
  }
  if (value.is_number_float() && !std::isfinite(value.get<double>())) {
    return nullptr;
  }
  return value;
}

using Leaves = std::vector<std::pair<std::string, json>>;

// NOLINTNEXTLINE(misc-no-recursion): as deep as the JSON, which its parser has bounded
void collect(const json& object, const std::string& prefix, Leaves& out) {
  for (const auto& [key, value] : object.items()) {
    if (out.size() >= kMaxResultColumns) {
      return;
    }
    if (value.is_object() && !value.empty()) {
      collect(value, prefix + key + ".", out);
    } else {
      out.emplace_back(prefix + key, leaf(value));
    }
  }
}

// The rows of a result that has none: its own measurements.
std::vector<Leaves> own_measurements(const json& result) {
  std::vector<Leaves> out;
  for (const auto& [key, value] : result.items()) {
    if (outside_of_rows().contains(key)) {
      continue;
    }
    if (value.is_object() && value.contains("median")) {
      out.push_back({{"measure", key},
                     {"value", leaf(value["median"])},
                     {"value_min", leaf(value.value("min", json()))},
                     {"value_max", leaf(value.value("max", json()))}});
    } else if (value.is_number()) {
      out.push_back({{"measure", key}, {"value", leaf(value)}});
    }
  }
  return out;
}

std::vector<Leaves> rows_of(const json& result) {
  if (!result.is_object()) {
    return {};
  }
  const auto rows = result.find("rows");
  if (rows == result.end() || !rows->is_array()) {
    return own_measurements(result);
  }
  std::vector<Leaves> out;
  for (const json& row : *rows) {
    if (row.is_object() && out.size() < kMaxResultRows) {
      collect(row, "", out.emplace_back());
    }
  }
  return out;
}

// The values of a column, each once, as texts.
std::set<std::string> distinct(const ResultTable& table, std::size_t column) {
  std::set<std::string> out;
  for (const auto& row : table.rows) {
    if (!row[column].is_null()) {
      out.insert(row[column].dump(-1, ' ', true, json::error_handler_t::replace));
    }
  }
  return out;
}

bool is_numeric(const ResultTable& table, std::size_t column) {
  bool any = false;
  for (const auto& row : table.rows) {
    if (!row[column].is_number() && !row[column].is_null()) {
      return false;
    }
    any = any || row[column].is_number();
  }
  return any;
}

// Whether the value of `a` tells that of `b` in every row.
bool tells(const ResultTable& table, std::size_t a, std::size_t b) {
  std::map<std::string, std::string> seen;
  for (const auto& row : table.rows) {
    const std::string value = row[b].dump(-1, ' ', true, json::error_handler_t::replace);
    const auto [place, fresh] =
        seen.emplace(row[a].dump(-1, ' ', true, json::error_handler_t::replace), value);
    if (!fresh && place->second != value) {
      return false;
    }
  }
  return true;
}

std::optional<std::size_t> first_of(const ResultTable& table,
                                    std::initializer_list<std::string_view> names) {
  for (const auto name : names) {
    if (const auto column = table.find(name); column && !distinct(table, *column).empty()) {
      return column;
    }
  }
  return std::nullopt;
}

// The first column that was swept, as a number: itself, or the cell's number that goes with it.
std::optional<std::size_t> choose_x(const ResultTable& table) {
  if (table.view.swept.empty()) {
    return std::nullopt;
  }
  const std::size_t first = table.view.swept.front();
  if (is_numeric(table, first)) {
    return first;
  }
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    if (table.columns[i].starts_with(kCell) && is_numeric(table, i) && tells(table, i, first) &&
        tells(table, first, i)) {
      return i;
    }
  }
  return first;
}

ResultTable::View choose_view(ResultTable& table) {
  ResultTable::View& view = table.view;
  view.series = first_of(table, {"label", "policy", "measure"});
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    if (table.columns[i].starts_with(kSwept) && distinct(table, i).size() > 1) {
      view.swept.push_back(i);
    }
  }
  view.x = choose_x(table);
  view.y = first_of(table, {"tokens_per_s", "decode_tokens_per_s.median", "tokens_per_s.median",
                            "tokens_per_s_full_accounting", "value"});
  for (std::size_t i = 0; i < table.columns.size() && !view.y; ++i) {
    view.y = is_numeric(table, i) ? std::optional(i) : std::nullopt;
  }
  view.cost = first_of(table, {"joules_per_token", "joules_per_token.median"});
  for (const std::size_t swept : view.swept) {
    if (view.x && !tells(table, *view.x, swept)) {
      view.filters.push_back(swept);
    }
  }
  return view;
}

std::string text_of(const json& object, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    if (object.is_object() && object.contains(key) && object[key].is_string()) {
      return object[key].get<std::string>().substr(0, kMaxText);
    }
  }
  return {};
}

std::string csv_cell(const json& cell) {
  if (cell.is_null()) {
    return {};
  }
  std::string text = cell.is_string() ? cell.get<std::string>()
                                      : cell.dump(-1, ' ', true, json::error_handler_t::replace);
  if (text.find_first_of(",\"\r\n") == std::string::npos) {
    return text;
  }
  std::string quoted = "\"";
  for (const char c : text) {
    quoted += c == '"' ? "\"\"" : std::string(1, c);
  }
  return quoted + '"';
}

}  // namespace

std::optional<std::size_t> ResultTable::find(std::string_view column) const {
  const auto at = std::find(columns.begin(), columns.end(), column);
  return at == columns.end() ? std::nullopt
                             : std::optional(static_cast<std::size_t>(at - columns.begin()));
}

Result<json> parse_result(std::string_view text, std::string_view file) {
  bool too_deep = false;
  const auto limit = [&](int depth, json::parse_event_t /*event*/, json& /*value*/) {
    too_deep = too_deep || depth > kMaxResultDepth;
    return depth <= kMaxResultDepth;
  };
  try {
    json result = json::parse(text, limit);
    if (too_deep) {
      return fail(ErrorCode::kLimitExceeded,
                  fmt::format("{} nests more than {} objects in each other, which no result does",
                              file, kMaxResultDepth));
    }
    if (!result.is_object()) {
      return fail(ErrorCode::kCorrupt,
                  fmt::format("{} holds no result: it is JSON, but not an object", file));
    }
    return result;
  } catch (const json::exception& e) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("{} holds no result: {:.200}", file, std::string(e.what())));
  }
}

ResultTable flatten(const json& result) {
  ResultTable table;
  table.title = text_of(result, {"scenario", "benchmark"});
  table.title = table.title.empty() ? "result" : table.title;
  table.description = text_of(result, {"description"});
  const std::vector<Leaves> rows = rows_of(result);
  std::map<std::string, std::size_t> place;
  for (const Leaves& row : rows) {
    for (const auto& [name, value] : row) {
      if (place.size() < kMaxResultColumns) {
        place.emplace(name, 0);
      }
    }
  }
  for (const auto& [name, unused] : place) {
    table.columns.push_back(name);
  }
  std::stable_sort(table.columns.begin(), table.columns.end(),
                   [](const auto& a, const auto& b) { return rank(a) < rank(b); });
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    place[table.columns[i]] = i;
  }
  for (const Leaves& row : rows) {
    auto& cells = table.rows.emplace_back(table.columns.size());
    for (const auto& [name, value] : row) {
      if (const auto at = place.find(name); at != place.end()) {
        cells[at->second] = value;
      } else {
        table.cut = true;
      }
    }
  }
  const bool has_rows = result.is_object() && result.contains("rows") && result["rows"].is_array();
  table.cut = table.cut || (has_rows && result["rows"].size() > kMaxResultRows);
  table.view = choose_view(table);
  return table;
}

std::vector<std::string> energy_sources(const json& result, const ResultTable& table) {
  std::vector<std::string> out;
  const auto add = [&](const json& source) {
    if (source.is_string() && std::find(out.begin(), out.end(), source) == out.end()) {
      out.push_back(source);
    }
  };
  if (result.is_object() && result.contains("energy_source")) {
    add(result["energy_source"]);
  }
  if (const auto column = table.find("energy_source")) {
    for (const auto& row : table.rows) {
      add(row[*column]);
    }
  }
  return out;
}

std::string cell_text(const json& cell) {
  if (cell.is_null()) {
    return "-";
  }
  if (cell.is_string()) {
    return cell.get<std::string>();
  }
  if (cell.is_number_float()) {
    return fmt::format("{:.4g}", cell.get<double>());
  }
  return cell.dump(-1, ' ', true, json::error_handler_t::replace);
}

std::string render_csv(const json& result) {
  const ResultTable table = flatten(result);
  std::string out;
  const auto add_line = [&](const auto& cells, const auto& text) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
      out += i == 0 ? "" : ",";
      out += text(cells[i]);
    }
    out += "\r\n";
  };
  add_line(table.columns, [](const std::string& name) { return csv_cell(name); });
  for (const auto& row : table.rows) {
    add_line(row, csv_cell);
  }
  return out;
}

}  // namespace gelato::report
