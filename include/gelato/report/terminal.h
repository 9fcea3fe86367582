// Text on a terminal: what the terminal can do, how wide a text is on it, and colours.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace gelato::report {

// What an output stream can show. The default is a pipe or a file: plain text.
struct Terminal {
  bool interactive = false;  // a person is watching: a line may be redrawn
  bool colour = false;
  int columns = 80;
};

// The facts about a stream that decide what it can show; `no_color` and `term` are the environment
// variables of that name, null when unset.
struct StreamFacts {
  bool is_terminal = false;
  const char* no_color = nullptr;
  const char* term = nullptr;
  int columns = 0;  // 0: not known
};

// Colour needs a terminal that is not "dumb", and no NO_COLOR (no-color.org: any value but the
// empty one switches colour off).
Terminal describe(const StreamFacts& facts);

// describe() for an open file descriptor of this process.
Terminal terminal_of(int file_descriptor);

enum class Style { kPlain, kStrong, kDim, kGood, kWarn, kBad };

// `text` in `style`, or `text` alone where `terminal` has no colour.
std::string paint(std::string_view text, Style style, const Terminal& terminal);

// `text` with every control character (line ends too) and every byte that is not UTF-8 replaced by
// U+FFFD, so that a name from a file cannot move the cursor or break a table.
std::string printable(std::string_view text);

// Columns that `text` takes: combining marks take none, East Asian wide characters and emoji two,
// anything else one (Unicode Standard Annex 11, by blocks). A byte that is not UTF-8 counts one.
std::size_t display_width(std::string_view text);

}  // namespace gelato::report
