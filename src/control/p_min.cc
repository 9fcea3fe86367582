#include "gelato/control/p_min.h"

#include "gelato/control/fixed_policies.h"

namespace gelato::control {

std::unique_ptr<Policy> make_p_min(std::span<const double> values) {
  const RoundPlan plan{.max_draft = static_cast<std::uint32_t>(values[1]),
                       .min_top1 = static_cast<float>(values[0])};
  return std::make_unique<FixedPolicy>(plan, policy_text(kPMin, values));
}

}  // namespace gelato::control
