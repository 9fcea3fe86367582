#include "gelato/control/policy_kind.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace gelato::control {
namespace {

// "a number above 0 and up to 1", "a whole number from 1 to 64".
std::string range_text(const Parameter& p) {
  return fmt::format("a {}number {}{} {} {}", p.whole ? "whole " : "",
                     p.above_min ? "above " : "from ", p.min, p.above_min ? "and up to" : "to",
                     p.max);
}

bool in_range(const Parameter& p, double value) {
  const bool low_enough = value <= p.max;  // false for NaN
  const bool high_enough = p.above_min ? value > p.min : value >= p.min;
  return low_enough && high_enough && (!p.whole || std::trunc(value) == value);
}

Result<double> parse_value(const PolicyKind& kind, const Parameter& p, std::string_view text) {
  double value = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !in_range(p, value)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("policy {}: {} ({}) must be {}, not {}", kind.name, p.name, p.meaning,
                            range_text(p), quoted(text)));
  }
  return value;
}

// Reads the parts of one parameter list in order.
class ParameterReader {
 public:
  explicit ParameterReader(const PolicyKind& kind)
      : kind_(kind), values_(kind.parameters.size()), given_(kind.parameters.size(), false) {}

  Result<void> read(std::string_view part) {
    const std::size_t equals = part.find('=');
    const bool named = equals != std::string_view::npos;
    auto index = named ? find(part.substr(0, equals)) : next_position(part);
    if (!index) {
      return fail(index.error());
    }
    const Parameter& p = kind_.parameters[*index];
    if (given_[*index]) {
      return error(fmt::format("{} is given twice", p.name));
    }
    auto value = parse_value(kind_, p, named ? part.substr(equals + 1) : part);
    if (!value) {
      return fail(value.error());
    }
    given_[*index] = true;
    values_[*index] = *value;
    any_named_ = any_named_ || named;
    ++parts_;
    return {};
  }

  Result<std::vector<double>> finish() {
    for (std::size_t i = 0; i < values_.size(); ++i) {
      const Parameter& p = kind_.parameters[i];
      if (given_[i]) {
        continue;
      }
      if (std::isnan(p.fallback)) {
        return error(fmt::format("{} ({}) is missing", p.name, p.meaning));
      }
      values_[i] = p.fallback;
    }
    return std::move(values_);
  }

 private:
  Result<std::size_t> find(std::string_view key) const {
    const auto it = std::find_if(kind_.parameters.begin(), kind_.parameters.end(),
                                 [key](const Parameter& p) { return p.name == key; });
    if (it == kind_.parameters.end()) {
      return error(fmt::format("there is no parameter {}", quoted(key)));
    }
    return static_cast<std::size_t>(it - kind_.parameters.begin());
  }

  Result<std::size_t> next_position(std::string_view part) const {
    if (any_named_) {
      return error(fmt::format("{} needs its name, like the value before it", quoted(part)));
    }
    if (parts_ == kind_.parameters.size()) {
      return error(fmt::format("{} is one value too many", quoted(part)));
    }
    return parts_;
  }

  [[nodiscard]] tl::unexpected<Error> error(std::string_view what) const {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("policy {}: {}; write {}", kind_.name, what, usage(kind_)));
  }

  const PolicyKind& kind_;
  std::vector<double> values_;
  std::vector<bool> given_;
  std::size_t parts_ = 0;
  bool any_named_ = false;
};

}  // namespace

Result<std::vector<double>> parse_parameters(const PolicyKind& kind, std::string_view text) {
  ParameterReader reader(kind);
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    if (auto ok = reader.read(text.substr(0, comma)); !ok) {
      return fail(ok.error());
    }
    if (comma == std::string_view::npos) {
      break;
    }
    text.remove_prefix(comma + 1);
    if (text.empty()) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("policy {}: a value is missing after the last comma; write {}",
                              kind.name, usage(kind)));
    }
  }
  return reader.finish();
}

std::string policy_text(const PolicyKind& kind, std::span<const double> values) {
  std::string out(kind.name);
  const bool with_keys = values.size() > 2;
  for (std::size_t i = 0; i < values.size(); ++i) {
    out += i == 0 ? ':' : ',';
    out += with_keys ? fmt::format("{}=", kind.parameters[i].name) : "";
    out += fmt::format("{}", values[i]);
  }
  return out;
}

std::string usage(const PolicyKind& kind) {
  std::string out(kind.name);
  std::string closing;
  for (std::size_t i = 0; i < kind.parameters.size(); ++i) {
    const Parameter& p = kind.parameters[i];
    if (!std::isnan(p.fallback)) {
      out += '[';
      closing += ']';
    }
    out += i == 0 ? ':' : ',';
    out += p.name;
  }
  return out + closing;
}

std::string quoted(std::string_view text) {
  constexpr std::size_t kLongest = 40;
  std::string out = "\"";
  for (const char c : text.substr(0, kLongest)) {
    const bool printable = c >= ' ' && c <= '~';
    out += printable ? c : '?';
  }
  return out + (text.size() > kLongest ? "...\"" : "\"");
}

}  // namespace gelato::control
