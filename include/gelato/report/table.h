// Plain tables and small charts for a terminal.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "gelato/report/terminal.h"

namespace gelato::report {

enum class Align { kLeft, kRight };  // numbers belong to the right

struct Column {
  std::string title;
  Align align = Align::kLeft;
};

struct Cell {
  // Implicit, because most cells are just a text.
  // NOLINTBEGIN(google-explicit-constructor)
  Cell(std::string cell_text, Style cell_style = Style::kPlain)
      : text(std::move(cell_text)), style(cell_style) {}
  Cell(const char* cell_text, Style cell_style = Style::kPlain)
      : Cell(std::string(cell_text), cell_style) {}
  // NOLINTEND(google-explicit-constructor)
  std::string text;
  Style style;
};

// Rows under a line of titles, columns two spaces apart, no boxes.
class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // A row with fewer cells than columns ends in empty ones; cells beyond the columns are dropped.
  void add_row(std::vector<Cell> cells);

  // The whole table, each line ended; control characters in cells are made visible.
  [[nodiscard]] std::string render(const Terminal& terminal) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

// `value` with `digits` digits after the point; "-" for a value that is not finite (nothing was
// measured).
std::string number(double value, int digits);

// One bar (U+2581 to U+2588) per value, from the smallest to the largest; a space for a value that
// is not finite. Values that are all equal give bars of the lowest height.
std::string sparkline(std::span<const double> values);

}  // namespace gelato::report
