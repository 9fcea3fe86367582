#include "gelato/control/policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "gelato/control/adaedl.h"
#include "gelato/control/fixed_policies.h"
#include "gelato/control/gelato.h"
#include "gelato/control/gelato_paper.h"
#include "gelato/control/goodput.h"
#include "gelato/control/p_min.h"
#include "gelato/control/policy_kind.h"
#include "gelato/control/specdecpp_threshold.h"
#include "gelato/control/svip.h"
#include "gelato/control/ucb.h"

namespace gelato::control {
namespace {

constexpr std::array kKinds{&kStatic,   &kPMin,      &kAdaEdl,      &kSvip,   &kSpecDecPpThreshold,
                            &kGoodput,  &kUcb,       &kGelatoPaper, &kGelato, &kDssd,
                            &kEdgeOnly, &kDeviceOnly};

std::string all_names() {
  std::string out;
  for (const PolicyKind* kind : kKinds) {
    out += out.empty() ? "" : ", ";
    out += kind->name;
  }
  return out;
}

// Levenshtein distance, two rows at a time.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j < row.size(); ++j) {
    row[j] = j;
  }
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({substituted, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

tl::unexpected<Error> unknown_policy(std::string_view name) {
  const PolicyKind* nearest =
      *std::min_element(kKinds.begin(), kKinds.end(), [name](const auto* a, const auto* b) {
        return edit_distance(name, a->name) < edit_distance(name, b->name);
      });
  // A third of the letters wrong is a slip of the finger; more is another word.
  const bool near = 3 * edit_distance(name, nearest->name) <= nearest->name.size();
  const std::string hint = near ? fmt::format(" (did you mean {}?)", nearest->name) : "";
  return fail(ErrorCode::kInvalidArgument, fmt::format("there is no policy {}{}; choose one of {}",
                                                       quoted(name), hint, all_names()));
}

std::string parameter_help(const Parameter& p) {
  const std::string range = fmt::format("{}{}..{}", p.above_min ? "above " : "", p.min, p.max);
  const std::string fallback =
      std::isnan(p.fallback) ? "" : fmt::format(", default {}", p.fallback);
  return fmt::format("      {:<10} {}, {}{}\n", p.name, p.meaning, range, fallback);
}

}  // namespace

std::span<const PolicyKind* const> policy_kinds() { return kKinds; }

Result<std::unique_ptr<Policy>> make_policy(std::string_view text) {
  if (text.size() > kMaxPolicyText) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("policy {} is longer than {} characters",
                                                         quoted(text), kMaxPolicyText));
  }
  const std::size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  const auto found = std::find_if(kKinds.begin(), kKinds.end(),
                                  [name](const PolicyKind* kind) { return kind->name == name; });
  if (found == kKinds.end()) {
    return unknown_policy(name);
  }
  const PolicyKind& kind = **found;
  if (colon + 1 == text.size()) {
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format("policy {}: nothing follows the colon; write {}", kind.name, usage(kind)));
  }
  auto values = parse_parameters(
      kind, colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1));
  if (!values) {
    return fail(values.error());
  }
  return kind.create(*values);
}

std::string policy_help() {
  std::string out;
  for (const PolicyKind* kind : kKinds) {
    out += fmt::format("  {}\n    {}\n", usage(*kind), kind->summary);
    for (const Parameter& p : kind->parameters) {
      out += parameter_help(p);
    }
  }
  return out;
}

}  // namespace gelato::control
