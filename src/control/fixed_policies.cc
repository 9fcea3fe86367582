#include "gelato/control/fixed_policies.h"

namespace gelato::control {
namespace {

std::uint32_t length_of(std::span<const double> values) {
  return static_cast<std::uint32_t>(values[0]);
}

std::unique_ptr<Policy> fixed(const PolicyKind& kind, std::span<const double> values,
                              const RoundPlan& plan) {
  return std::make_unique<FixedPolicy>(plan, policy_text(kind, values));
}

}  // namespace

std::unique_ptr<Policy> make_static(std::span<const double> values) {
  return fixed(kStatic, values, {.max_draft = length_of(values)});
}

std::unique_ptr<Policy> make_dssd(std::span<const double> values) {
  return fixed(kDssd, values, {.max_draft = length_of(values), .uplink = UplinkFormat::kDssd});
}

std::unique_ptr<Policy> make_edge_only(std::span<const double> values) {
  return fixed(kEdgeOnly, values, {.mode = RoundMode::kTargetOnly, .burst = kMaxBurst});
}

std::unique_ptr<Policy> make_device_only(std::span<const double> values) {
  return fixed(kDeviceOnly, values, {.max_draft = kMaxDraftLength, .mode = RoundMode::kDraftOnly});
}

}  // namespace gelato::control
