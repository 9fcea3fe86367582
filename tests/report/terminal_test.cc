#include "gelato/report/terminal.h"

#include <gtest/gtest.h>

namespace gelato::report {
namespace {

TEST(Terminal, ColourNeedsATerminalThatCanAndNobodyWhoObjects) {
  EXPECT_TRUE(describe({.is_terminal = true, .term = "xterm"}).colour);
  EXPECT_TRUE(describe({.is_terminal = true, .no_color = "", .term = "xterm"}).colour);
  EXPECT_FALSE(describe({.is_terminal = true, .no_color = "1", .term = "xterm"}).colour);
  EXPECT_FALSE(describe({.is_terminal = true, .term = "dumb"}).colour);
  EXPECT_FALSE(describe({.is_terminal = true}).colour);
  EXPECT_FALSE(describe({.is_terminal = false, .term = "xterm"}).colour);
}

TEST(Terminal, NoColorKeepsTheTerminalInteractive) {
  const Terminal t =
      describe({.is_terminal = true, .no_color = "1", .term = "xterm", .columns = 132});
  EXPECT_TRUE(t.interactive);
  EXPECT_EQ(t.columns, 132);
  EXPECT_EQ(describe({.is_terminal = true, .term = "xterm"}).columns, 80);
}

TEST(Terminal, ADescriptorThatIsNotOpenIsPlain) {
  const Terminal t = terminal_of(-1);
  EXPECT_FALSE(t.interactive);
  EXPECT_FALSE(t.colour);
}

TEST(Paint, WrapsOnlyWhereThereIsColour) {
  EXPECT_EQ(paint("ok", Style::kGood, {.colour = true}), "\x1b[32mok\x1b[0m");
  EXPECT_EQ(paint("ok", Style::kGood, {}), "ok");
  EXPECT_EQ(paint("ok", Style::kPlain, {.colour = true}), "ok");
}

TEST(DisplayWidth, CountsColumnsAndNotBytes) {
  EXPECT_EQ(display_width("tok/s"), 5U);
  EXPECT_EQ(display_width("Zürich"), 6U);
  EXPECT_EQ(display_width("e\u0301"), 1U);  // e and a combining accent
  EXPECT_EQ(display_width("冰淇淋"), 6U);
  EXPECT_EQ(display_width("🍨"), 2U);
  EXPECT_EQ(display_width("▁▂█"), 3U);
  EXPECT_EQ(display_width("a\xff\xc3"), 3U);
}

TEST(Printable, ReplacesControlsAndWhatIsNotUtf8) {
  EXPECT_EQ(printable("Zürich 🍨"), "Zürich 🍨");
  EXPECT_EQ(printable("\x1b[2Jx\n"), "\uFFFD[2Jx\uFFFD");
  EXPECT_EQ(printable("\u202Eabc"), "\uFFFDabc");              // writes backwards
  EXPECT_EQ(printable("\xC0\x80"), "\uFFFD\uFFFD");            // NUL written too long
  EXPECT_EQ(printable("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");  // half of a surrogate pair
  EXPECT_EQ(printable("\xF4\x90\x80\x80").size(), 12U);        // beyond the last code point
  EXPECT_EQ(printable("a\xE2\x96"), "a\uFFFD\uFFFD");          // cut off
}

}  // namespace
}  // namespace gelato::report
