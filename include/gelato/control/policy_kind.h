// How a policy is described to people and built from text: one PolicyKind per policy, in the
// policy's own header, and all of them listed once, in src/control/policy.cc.
#pragma once

#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gelato/base/result.h"
#include "gelato/control/policy.h"

namespace gelato::control {

// One number in a policy string. `name` is the key of the form KEY=VALUE, lower case; `min` and
// `max` are the accepted range, both ends included unless `above_min`.
struct Parameter {
  static constexpr double kRequired = std::numeric_limits<double>::quiet_NaN();

  std::string_view name;
  std::string_view meaning;     // with its unit
  double fallback = kRequired;  // the value when the string does not give one
  double min = 0.0;
  double max = 1.0;
  bool whole = false;      // whole numbers only
  bool above_min = false;  // `min` itself is not accepted
};

// The parameter that bounds a draft, the same for every policy but for its default.
constexpr Parameter length_parameter(double fallback) {
  return {.name = "length",
          .meaning = "longest draft, tokens",
          .fallback = fallback,
          .min = 1,
          .max = kMaxDraftLength,
          .whole = true};
}

// One policy: its name, its parameters in the order of the positional form, what it does, and how
// to make one from as many values, all within range.
struct PolicyKind {
  std::string_view name;
  std::span<const Parameter> parameters;
  std::string_view summary;
  std::unique_ptr<Policy> (*create)(std::span<const double> values);
};

// Every policy there is, in the order of --help.
std::span<const PolicyKind* const> policy_kinds();

// Longest policy string that is looked at; the longest useful one is a fifth of it.
inline constexpr std::size_t kMaxPolicyText = 1024;

// Reads what follows the colon of a policy string: values separated by commas, each VALUE (in the
// order of kind.parameters) or KEY=VALUE; no VALUE may follow a KEY=VALUE. An empty `text` gives
// the defaults.
// Errors: kInvalidArgument, one sentence that names the offending part and what is accepted.
Result<std::vector<double>> parse_parameters(const PolicyKind& kind, std::string_view text);

// The string that parses back to exactly these values: "name:value,value", and with the keys as
// soon as there are more than two.
std::string policy_text(const PolicyKind& kind, std::span<const double> values);

// The way to write a policy of this kind, e.g. "p-min[:p[,length]]".
std::string usage(const PolicyKind& kind);

// `text` in double quotes, fit for an error message: at most 40 characters, unprintable ones
// replaced by '?'.
std::string quoted(std::string_view text);

}  // namespace gelato::control
