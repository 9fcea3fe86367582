#include "gelato/control/p_min.h"

#include <array>

#include "gelato/control/fixed_policies.h"

namespace gelato::control {
namespace {

constexpr std::array kParameters{
    Parameter{.name = "p",
              .meaning = "least top-1 probability",
              .fallback = 0.75,
              .min = 0.0,
              .max = 1.0,
              .above_min = true},
    Parameter{.name = "length",
              .meaning = "longest draft, tokens",
              .fallback = 16,
              .min = 1,
              .max = kMaxDraftLength,
              .whole = true},
};

std::unique_ptr<Policy> create(std::span<const double> values) {
  const RoundPlan plan{.max_draft = static_cast<std::uint32_t>(values[1]),
                       .min_top1 = static_cast<float>(values[0])};
  return std::make_unique<FixedPolicy>(plan, policy_text(kPMinPolicy, values));
}

}  // namespace

constinit const PolicyKind kPMinPolicy{
    .name = "p-min",
    .parameters = kParameters,
    .summary =
        "llama.cpp's rule: the draft ends before a row whose top-1 "
        "probability is below p",
    .create = create};

}  // namespace gelato::control
