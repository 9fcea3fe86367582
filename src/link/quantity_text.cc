#include "quantity_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace gelato::link {
namespace {

bool is_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_plain_decimal(std::string_view text) {
  if (text.starts_with('-')) {
    text.remove_prefix(1);
  }
  const std::size_t point = text.find('.');
  return is_digits(text.substr(0, point)) &&
         (point == std::string_view::npos || is_digits(text.substr(point + 1)));
}

// The double nearest to `text` x 10^`exponent`.
std::optional<double> parse_decimal(std::string_view text, int exponent) {
  if (text.size() > kMaxDecimalChars || !is_plain_decimal(text)) {
    return std::nullopt;
  }
  const std::string scaled = fmt::format("{}e{}", text, exponent);
  double value = 0.0;
  if (std::from_chars(scaled.data(), scaled.data() + scaled.size(), value).ec != std::errc()) {
    return std::nullopt;
  }
  return value;
}

// `digits` with the decimal point after the first `whole` of them, which may lie outside of them.
std::string place_point(std::string_view sign, std::string_view digits, int whole) {
  const int n = static_cast<int>(digits.size());
  if (whole <= 0) {
    return fmt::format("{}0.{:0>{}}", sign, digits, n - whole);
  }
  if (whole >= n) {
    return fmt::format("{}{:0<{}}", sign, digits, whole);
  }
  const auto at = static_cast<std::size_t>(whole);
  return fmt::format("{}{}.{}", sign, digits.substr(0, at), digits.substr(at));
}

// The shortest text t with parse_decimal(t, exponent) == value.
std::string format_decimal(double value, int exponent) {
  if (!std::isfinite(value)) {
    return fmt::format("{}", value);
  }
  if (value == 0.0) {
    return "0";
  }
  std::array<char, 32> buffer{};  // 17 digits, a point and an exponent fit
  const auto written = std::to_chars(buffer.data(), buffer.data() + buffer.size(), std::abs(value),
                                     std::chars_format::scientific);
  const std::string_view text(buffer.data(), static_cast<std::size_t>(written.ptr - buffer.data()));
  const std::size_t e = text.find('e');
  const std::size_t power_at = text[e + 1] == '+' ? e + 2 : e + 1;
  int power = 0;
  std::from_chars(buffer.data() + power_at, written.ptr, power);
  std::string digits(text.substr(0, e));
  std::erase(digits, '.');
  return place_point(value < 0.0 ? "-" : "", digits, power + 1 - exponent);
}

}  // namespace

std::optional<double> parse_quantity(const Dimension& dimension, std::string_view text) {
  const std::size_t unit_at = std::min(text.find_first_not_of("-.0123456789"), text.size());
  const std::string_view suffix = text.substr(unit_at);
  const auto unit = std::find_if(dimension.units.begin(), dimension.units.end(),
                                 [suffix](const Unit& u) { return u.suffix == suffix; });
  if (unit == dimension.units.end()) {
    return std::nullopt;
  }
  return parse_decimal(text.substr(0, unit_at), unit->exponent);
}

std::string format_quantity(const Dimension& dimension, double value) {
  std::string shortest;
  for (const Unit& unit : dimension.units) {
    std::string text = format_decimal(value, unit.exponent) + std::string(unit.suffix);
    if (shortest.empty() || text.size() < shortest.size()) {
      shortest = std::move(text);
    }
  }
  return shortest;
}

}  // namespace gelato::link
