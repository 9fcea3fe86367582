#include "gelato/report/overview.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "gelato/report/result_table.h"
#include "gelato/report/table.h"

namespace gelato::report {
namespace {

using nlohmann::json;

// More columns than this do not fit on a terminal; the page and the CSV have all.
constexpr std::size_t kMaxShown = 7;

// One series of a sweep: (x, number) by the places of x.
using Points = std::vector<std::pair<json, double>>;

// Series in the order of their first rows.
std::vector<std::pair<std::string, Points>> series_of(const ResultTable& table, std::size_t x,
                                                      std::size_t y) {
  std::vector<std::pair<std::string, Points>> out;
  std::map<std::string, std::size_t> place;
  for (const auto& row : table.rows) {
    std::string name = table.view.series ? cell_text(row[*table.view.series]) : table.columns[y];
    for (const std::size_t filter : table.view.filters) {
      name += fmt::format(", {}", cell_text(row[filter]));
    }
    const auto [at, fresh] = place.emplace(name, out.size());
    if (fresh) {
      out.emplace_back(name, Points());
    }
    const double value =
        row[y].is_number() ? row[y].get<double>() : std::numeric_limits<double>::quiet_NaN();
    out[at->second].second.emplace_back(row[x], value);
  }
  for (auto& [name, points] : out) {
    std::stable_sort(points.begin(), points.end(), [](const auto& a, const auto& b) {
      return a.first.is_number() && b.first.is_number() && a.first < b.first;
    });
  }
  return out;
}

std::string sweep(const ResultTable& table, std::size_t x, std::size_t y,
                  const Terminal& terminal) {
  Table out({{table.view.series ? table.columns[*table.view.series] : ""},
             {table.columns[y]},
             {"first", Align::kRight},
             {"last", Align::kRight},
             {"least", Align::kRight},
             {"most", Align::kRight}});
  for (const auto& [name, points] : series_of(table, x, y)) {
    std::vector<double> values;
    double least = std::numeric_limits<double>::quiet_NaN();
    double most = least;
    for (const auto& [place, value] : points) {
      values.push_back(value);
      least = std::fmin(least, value);
      most = std::fmax(most, value);
    }
    const auto text = [](double v) { return std::isfinite(v) ? fmt::format("{:.4g}", v) : "-"; };
    out.add_row({name, sparkline(values), text(values.front()), text(values.back()), text(least),
                 text(most)});
  }
  return fmt::format("{} over {}\n{}", table.columns[y], printable(table.columns[x]),
                     out.render(terminal));
}

std::string plain(const ResultTable& table, const Terminal& terminal) {
  const std::size_t shown = std::min(kMaxShown, table.columns.size());
  std::vector<Column> columns;
  for (std::size_t i = 0; i < shown; ++i) {
    const bool number = std::any_of(table.rows.begin(), table.rows.end(),
                                    [&](const auto& row) { return row[i].is_number(); });
    columns.push_back({table.columns[i], number ? Align::kRight : Align::kLeft});
  }
  Table out(std::move(columns));
  for (const auto& row : table.rows) {
    std::vector<Cell> cells;
    for (std::size_t i = 0; i < shown; ++i) {
      cells.emplace_back(cell_text(row[i]));
    }
    out.add_row(std::move(cells));
  }
  return out.render(terminal) +
         (shown < table.columns.size()
              ? fmt::format("and {} more columns\n", table.columns.size() - shown)
              : "");
}

}  // namespace

std::string render_overview(const json& result, const Terminal& terminal) {
  const ResultTable table = flatten(result);
  std::string out = paint(printable(table.title), Style::kStrong, terminal) + "\n";
  if (!table.description.empty()) {
    out += printable(table.description) + "\n";
  }
  for (const std::string& source : energy_sources(result, table)) {
    out += fmt::format("energy: {}\n", printable(source));
  }
  if (table.rows.empty()) {
    return out + "no rows\n";
  }
  if (!table.view.x || !table.view.y) {
    return fmt::format("{}\n{}", out, plain(table, terminal));
  }
  for (const auto& shown : {table.view.y, table.view.cost}) {
    out += shown ? fmt::format("\n{}", sweep(table, *table.view.x, *shown, terminal)) : "";
  }
  return out;
}

}  // namespace gelato::report
