// Numbers with a unit, as text, exactly: every unit is a power of ten of the SI unit, so "1.5mbit"
// is the double nearest to 1.5e6 and comes back as "1.5mbit". (Multiplying by the unit would round
// a second time.)
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace gelato::link {

struct Unit {
  std::string_view suffix;
  int exponent;  // of ten
};

// The units one kind of quantity can be written in.
struct Dimension {
  std::span<const Unit> units;
  std::string_view wanted;  // completes "write ..." in an error message
};

extern const Dimension kRateText;
extern const Dimension kTimeText;
extern const Dimension kFrequencyText;
extern const Dimension kLengthText;
extern const Dimension kPowerText;
extern const Dimension kNoiseText;
extern const Dimension kRatioText;    // decibels
extern const Dimension kPercentText;  // of 1

// Longest number (without unit) that is read, so that what is printed stays short too.
inline constexpr std::size_t kMaxDecimalChars = 32;

// `text` in the SI unit of `dimension`; nothing unless it is an optional minus sign, digits,
// optionally a point and digits, and one of the dimension's units.
std::optional<double> parse_quantity(const Dimension& dimension, std::string_view text);

// The shortest text that parse_quantity() turns back into `value`. A value that is not finite gives
// a text that parse_quantity() refuses.
std::string format_quantity(const Dimension& dimension, double value);

}  // namespace gelato::link
