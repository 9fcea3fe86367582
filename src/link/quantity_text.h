// Numbers with a unit, as text, exactly: every unit is a power of ten of the SI unit, so "1.5mbit"
// is the double nearest to 1.5e6 and comes back as "1.5mbit". (Multiplying by the unit would round
// a second time.)
#pragma once

#include <array>
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

inline constexpr std::array<Unit, 4> kRateUnits{
    {{"gbit", 9}, {"mbit", 6}, {"kbit", 3}, {"bit", 0}}};
inline constexpr std::array<Unit, 3> kTimeUnits{{{"s", 0}, {"ms", -3}, {"us", -6}}};
inline constexpr std::array<Unit, 4> kFrequencyUnits{
    {{"ghz", 9}, {"mhz", 6}, {"khz", 3}, {"hz", 0}}};
inline constexpr std::array<Unit, 2> kLengthUnits{{{"km", 3}, {"m", 0}}};
inline constexpr std::array<Unit, 1> kPowerUnits{{{"dbm", 0}}};
inline constexpr std::array<Unit, 1> kNoiseUnits{{{"dbm/hz", 0}}};
inline constexpr std::array<Unit, 1> kRatioUnits{{{"db", 0}}};
inline constexpr std::array<Unit, 1> kPercentUnits{{{"%", -2}}};  // of 1

inline constexpr Dimension kRateText{kRateUnits,
                                     "a number with gbit, mbit, kbit or bit (per second)"};
inline constexpr Dimension kTimeText{kTimeUnits, "a number with s, ms or us"};
inline constexpr Dimension kFrequencyText{kFrequencyUnits, "a number with ghz, mhz, khz or hz"};
inline constexpr Dimension kLengthText{kLengthUnits, "a number with km or m"};
inline constexpr Dimension kPowerText{kPowerUnits, "a number with dbm"};
inline constexpr Dimension kNoiseText{kNoiseUnits, "a number with dbm/hz"};
inline constexpr Dimension kRatioText{kRatioUnits, "a number with db"};
inline constexpr Dimension kPercentText{kPercentUnits, "a number with %"};

// Longest number (without unit) that is read, so that what is printed stays short too.
inline constexpr std::size_t kMaxDecimalChars = 32;

// `text` in the SI unit of `dimension`; nothing unless it is an optional minus sign, digits,
// optionally a point and digits, and one of the dimension's units.
std::optional<double> parse_quantity(const Dimension& dimension, std::string_view text);

// The shortest text that parse_quantity() turns back into `value`. A value that is not finite gives
// a text that parse_quantity() refuses.
std::string format_quantity(const Dimension& dimension, double value);

}  // namespace gelato::link
