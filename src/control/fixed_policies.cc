#include "gelato/control/fixed_policies.h"

#include <array>

namespace gelato::control {
namespace {

constexpr std::array kLength{Parameter{.name = "length",
                                       .meaning = "tokens per draft",
                                       .min = 1,
                                       .max = kMaxDraftLength,
                                       .whole = true}};

std::uint32_t length_of(std::span<const double> values) {
  return static_cast<std::uint32_t>(values[0]);
}

}  // namespace

constinit const PolicyKind kStaticPolicy{
    .name = "static",
    .parameters = kLength,
    .summary = "every draft has this many tokens",
    .create = [](std::span<const double> values) -> std::unique_ptr<Policy> {
      return std::make_unique<FixedPolicy>(RoundPlan{.max_draft = length_of(values)},
                                           policy_text(kStaticPolicy, values));
    }};

constinit const PolicyKind kDssdPolicy{
    .name = "dssd",
    .parameters = kLength,
    .summary = "as static, with ids and scalars up and a row down on rejection",
    .create = [](std::span<const double> values) -> std::unique_ptr<Policy> {
      const RoundPlan plan{.max_draft = length_of(values), .uplink = UplinkFormat::kDssd};
      return std::make_unique<FixedPolicy>(plan, policy_text(kDssdPolicy, values));
    }};

constinit const PolicyKind kEdgeOnlyPolicy{
    .name = "edge-only",
    .parameters = {},
    .summary = "the target alone, no drafts",
    .create = [](std::span<const double> values) -> std::unique_ptr<Policy> {
      const RoundPlan plan{.mode = RoundMode::kTargetOnly};
      return std::make_unique<FixedPolicy>(plan, policy_text(kEdgeOnlyPolicy, values));
    }};

constinit const PolicyKind kDeviceOnlyPolicy{
    .name = "device-only",
    .parameters = {},
    .summary = "the draft model alone: not the target's text",
    .create = [](std::span<const double> values) -> std::unique_ptr<Policy> {
      const RoundPlan plan{.max_draft = kMaxDraftLength, .mode = RoundMode::kDraftOnly};
      return std::make_unique<FixedPolicy>(plan, policy_text(kDeviceOnlyPolicy, values));
    }};

}  // namespace gelato::control
