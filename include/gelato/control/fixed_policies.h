// Policies that decide once, before the first round:
//   static:N     drafts of N tokens. Leviathan et al., arXiv 2211.17192, algorithm 1 with constant
//                gamma.
//   dssd:N       the same lengths, with the uplink of DSSD (arXiv 2507.12000): ids and the scalars
//                q_i(x_i) up, and on a rejection the target's row down.
//   edge-only    the target alone.
//   device-only  the draft model alone. Its text is not the target's.
#pragma once

#include <string>

#include "gelato/control/policy.h"
#include "gelato/control/policy_kind.h"

namespace gelato::control {

extern const PolicyKind kStaticPolicy;
extern const PolicyKind kDssdPolicy;
extern const PolicyKind kEdgeOnlyPolicy;
extern const PolicyKind kDeviceOnlyPolicy;

// The same plan in every round, and every draft as long as the plan allows.
class FixedPolicy final : public Policy {
 public:
  FixedPolicy(const RoundPlan& plan, std::string name) : plan_(plan), name_(std::move(name)) {}

  RoundPlan begin_round(const RoundContext&) override { return plan_; }
  [[nodiscard]] bool keep_drafting(const DraftState&) override { return true; }
  void end_round(const RoundOutcome&) override {}
  [[nodiscard]] std::string name() const override { return name_; }

 private:
  RoundPlan plan_;
  std::string name_;
};

}  // namespace gelato::control
