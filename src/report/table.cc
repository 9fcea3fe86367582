#include "gelato/report/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string_view>

namespace gelato::report {
namespace {

// The cells of one line, padded to `widths`; no spaces after the last text.
std::string line(const std::vector<Cell>& cells, const std::vector<Column>& columns,
                 const std::vector<std::size_t>& widths, const Terminal& terminal) {
  std::string text;
  std::size_t gap = 0;  // spaces that the next text needs in front of it
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::size_t space = widths[i] - display_width(cells[i].text);
    const bool right = columns[i].align == Align::kRight;
    if (!cells[i].text.empty()) {
      text.append(gap + (right ? space : 0), ' ');
      text += paint(cells[i].text, cells[i].style, terminal);
      gap = right ? 0 : space;
    } else {
      gap += space;
    }
    gap += 2;
  }
  return text + '\n';
}

}  // namespace

void Table::add_row(std::vector<Cell> cells) {
  cells.resize(columns_.size(), Cell(""));
  for (Cell& cell : cells) {
    cell.text = printable(cell.text);
  }
  rows_.push_back(std::move(cells));
}

std::string Table::render(const Terminal& terminal) const {
  std::vector<Cell> titles;
  std::vector<Cell> rules;
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = display_width(columns_[i].title);
    for (const std::vector<Cell>& row : rows_) {
      width = std::max(width, display_width(row[i].text));
    }
    titles.emplace_back(columns_[i].title, Style::kStrong);
    rules.emplace_back(std::string(width, '-'), Style::kDim);
    widths.push_back(width);
  }
  std::string text = line(titles, columns_, widths, terminal);
  text += line(rules, columns_, widths, terminal);
  for (const std::vector<Cell>& row : rows_) {
    text += line(row, columns_, widths, terminal);
  }
  return text;
}

std::string number(double value, int digits) {
  return std::isfinite(value) ? fmt::format("{:.{}f}", value, digits) : "-";
}

std::string sparkline(std::span<const double> values) {
  constexpr std::array<std::string_view, 8> kBars = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  for (const double v : values) {
    if (std::isfinite(v)) {
      low = std::min(low, v);
      high = std::max(high, v);
    }
  }
  std::string bars;
  for (const double v : values) {
    if (!std::isfinite(v)) {
      bars += ' ';
      continue;
    }
    // Halves first: high - low itself may be more than a double holds.
    const double height = high > low ? (v / 2 - low / 2) / (high / 2 - low / 2) : 0.0;
    bars += kBars[static_cast<std::size_t>(std::lround(height * 7.0))];
  }
  return bars;
}

}  // namespace gelato::report
