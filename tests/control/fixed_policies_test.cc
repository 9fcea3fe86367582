#include "gelato/control/fixed_policies.h"

#include <gtest/gtest.h>

namespace gelato::control {
namespace {

RoundPlan plan_of(const char* text) { return make_policy(text).value()->begin_round({}); }

TEST(FixedPolicies, PlanWhatTheirNameSays) {
  EXPECT_EQ(plan_of("static:64").max_draft, 64U);
  EXPECT_EQ(plan_of("static:5").mode, RoundMode::kSpeculate);
  EXPECT_EQ(plan_of("static:5").uplink, UplinkFormat::kSession);
  EXPECT_EQ(plan_of("dssd:5").max_draft, 5U);
  EXPECT_EQ(plan_of("dssd:5").uplink, UplinkFormat::kDssd);
  EXPECT_EQ(plan_of("edge-only").max_draft, 0U);
  EXPECT_EQ(plan_of("edge-only").mode, RoundMode::kTargetOnly);
  EXPECT_EQ(plan_of("edge-only").burst, kMaxBurst);
  EXPECT_EQ(plan_of("device-only").max_draft, kMaxDraftLength);
  EXPECT_EQ(plan_of("device-only").mode, RoundMode::kDraftOnly);
}

TEST(FixedPolicies, NeverStopADraftEarly) {
  for (const char* text : {"static:5", "dssd:5", "device-only", "p-min:0.9"}) {
    auto policy = make_policy(text).value();
    policy->begin_round({});
    DraftState state{.drafted = 1, .max_draft = 5};
    state.last.entropy = 10.0F;
    EXPECT_TRUE(policy->keep_drafting(state)) << text;
  }
}

}  // namespace
}  // namespace gelato::control
