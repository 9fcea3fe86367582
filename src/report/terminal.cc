#include "gelato/report/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "gelato/base/utf8.h"

namespace gelato::report {
namespace {

// The first character of `text`, which is valid UTF-8 and not empty, taken off its front.
char32_t take_character(std::string_view& text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t length = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  char32_t code = length == 1 ? lead : lead & (0x7FU >> length);
  for (const char byte : text.substr(1, length - 1)) {
    code = (code << 6U) | (static_cast<unsigned char>(byte) & 0x3FU);
  }
  text.remove_prefix(length);
  return code;
}

struct Range {
  char32_t first;
  char32_t last;
};

constexpr std::array kCombining = {
    Range{0x0300, 0x036F}, Range{0x0591, 0x05BD}, Range{0x064B, 0x065F}, Range{0x0E34, 0x0E3A},
    Range{0x1AB0, 0x1AFF}, Range{0x1DC0, 0x1DFF}, Range{0x200B, 0x200F}, Range{0x20D0, 0x20FF},
    Range{0xFE00, 0xFE0F}, Range{0xFE20, 0xFE2F}};
constexpr std::array kWide = {
    Range{0x1100, 0x115F},   Range{0x2E80, 0x303E},   Range{0x3041, 0xA4CF},
    Range{0xAC00, 0xD7A3},   Range{0xF900, 0xFAFF},   Range{0xFE30, 0xFE6F},
    Range{0xFF00, 0xFF60},   Range{0xFFE0, 0xFFE6},   Range{0x1F300, 0x1F64F},
    Range{0x1F680, 0x1F6FF}, Range{0x1F900, 0x1F9FF}, Range{0x20000, 0x3FFFD}};

template <std::size_t N>
bool within(const std::array<Range, N>& ranges, char32_t code) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [code](Range r) { return code >= r.first && code <= r.last; });
}

// Also the marks that turn the direction of writing.
constexpr std::array kControls = {Range{0x00, 0x1F}, Range{0x7F, 0x9F}, Range{0x2028, 0x202E},
                                  Range{0x2066, 0x2069}};

std::string_view escape_code(Style style) {
  switch (style) {
    case Style::kPlain:
      return "";
    case Style::kStrong:
      return "\x1b[1m";
    case Style::kDim:
      return "\x1b[2m";
    case Style::kGood:
      return "\x1b[32m";
    case Style::kWarn:
      return "\x1b[33m";
    case Style::kBad:
      return "\x1b[31m";
  }
  return "";
}

}  // namespace

Terminal describe(const StreamFacts& facts) {
  const bool wanted = facts.no_color == nullptr || *facts.no_color == '\0';
  const bool able = facts.term != nullptr && std::string_view(facts.term) != "dumb";
  Terminal terminal;
  terminal.interactive = facts.is_terminal && able;
  terminal.colour = terminal.interactive && wanted;
  if (facts.columns > 0) {
    terminal.columns = facts.columns;
  }
  return terminal;
}

Terminal terminal_of(int file_descriptor) {
  winsize size{};
  const bool known = ioctl(file_descriptor, TIOCGWINSZ, &size) == 0;
  return describe({.is_terminal = isatty(file_descriptor) == 1,
                   .no_color = std::getenv("NO_COLOR"),
                   .term = std::getenv("TERM"),
                   .columns = known ? size.ws_col : 0});
}

std::string paint(std::string_view text, Style style, const Terminal& terminal) {
  if (!terminal.colour || style == Style::kPlain || text.empty()) {
    return std::string(text);
  }
  return fmt::format("{}{}\x1b[0m", escape_code(style), text);
}

std::string printable(std::string_view text) {
  const std::string valid = replace_invalid_utf8(text);
  std::string shown;
  for (std::string_view rest = valid; !rest.empty();) {
    const std::string_view from = rest;
    const char32_t code = take_character(rest);
    shown += within(kControls, code) ? "\uFFFD" : from.substr(0, from.size() - rest.size());
  }
  return shown;
}

std::size_t display_width(std::string_view text) {
  const std::string valid = replace_invalid_utf8(text);
  std::size_t width = 0;
  for (std::string_view rest = valid; !rest.empty();) {
    const char32_t code = take_character(rest);
    if (!within(kCombining, code)) {
      width += within(kWide, code) ? 2 : 1;
    }
  }
  return width;
}

}  // namespace gelato::report
