#include "gelato/report/table.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>

namespace gelato::report {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(Table, AlignsByColumnsOfTheTerminal) {
  Table table({{"policy"}, {"tok/s", Align::kRight}, {"note"}});
  table.add_row({"static:4", number(12.345, 1), "Zürich"});
  table.add_row({"冰", number(9.5, 1)});
  EXPECT_EQ(table.render({}),
            "policy    tok/s  note\n"
            "--------  -----  ------\n"
            "static:4   12.3  Zürich\n"
            "冰          9.5\n");
}

TEST(Table, ColoursDoNotMoveTheColumns) {
  Table table({{"a"}, {"b"}});
  table.add_row({Cell("x", Style::kGood), Cell("y")});
  EXPECT_EQ(table.render({.colour = true}),
            "\x1b[1ma\x1b[0m  \x1b[1mb\x1b[0m\n"
            "\x1b[2m-\x1b[0m  \x1b[2m-\x1b[0m\n"
            "\x1b[32mx\x1b[0m  y\n");
}

TEST(Table, ACellCannotBreakTheLayout) {
  Table table({{"model"}, {"n", Align::kRight}});
  table.add_row({"evil\n\x1b[2J", "1", "beyond"});
  EXPECT_EQ(table.render({}),
            "model      n\n"
            "---------  -\n"
            "evil\uFFFD\uFFFD[2J  1\n");
}

TEST(Table, WithoutRowsIsItsTitles) {
  EXPECT_EQ(Table({{"a"}, {"bc"}}).render({}), "a  bc\n-  --\n");
}

TEST(Number, RoundsAndShowsWhatWasNotMeasured) {
  EXPECT_EQ(number(0.2215, 2), "0.22");
  EXPECT_EQ(number(-3.0, 0), "-3");
  EXPECT_EQ(number(kNan, 2), "-");
  EXPECT_EQ(number(std::numeric_limits<double>::infinity(), 2), "-");
}

TEST(Sparkline, RunsFromTheSmallestToTheLargest) {
  EXPECT_EQ(sparkline(std::array{0.0, 7.0, 3.0, kNan, 1.0}), "▁█▄ ▂");
  EXPECT_EQ(sparkline(std::array{5.0, 5.0}), "▁▁");
  EXPECT_EQ(sparkline(std::array{-1e308, 1e308}), "▁█");
  EXPECT_EQ(sparkline({}), "");
}

}  // namespace
}  // namespace gelato::report
