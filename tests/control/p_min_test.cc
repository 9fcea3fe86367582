#include "gelato/control/p_min.h"

#include <gtest/gtest.h>

#include <vector>

namespace gelato::control {
namespace {

// How llama.cpp's loop ends a draft: the row is looked at before its token is taken.
std::size_t draft_length(const RoundPlan& plan, const std::vector<float>& top1) {
  std::size_t n = 0;
  while (n < top1.size() && n < plan.max_draft && top1[n] >= plan.min_top1) {
    ++n;
  }
  return n;
}

TEST(PMin, EndsTheDraftBeforeTheFirstUnlikelyRow) {
  const RoundPlan plan = make_policy("p-min:0.75,4").value()->begin_round({});
  EXPECT_EQ(draft_length(plan, {0.9F, 0.75F, 0.7499F, 0.9F}), 2U);
  EXPECT_EQ(draft_length(plan, {0.5F, 0.9F}), 0U);
  EXPECT_EQ(draft_length(plan, {0.9F, 0.9F, 0.9F, 0.9F, 0.9F, 0.9F}), 4U);
}

TEST(PMin, HasTheDefaultsOfLlamaCpp) {
  const RoundPlan plan = make_policy("p-min").value()->begin_round({});
  EXPECT_FLOAT_EQ(plan.min_top1, 0.75F);
  EXPECT_EQ(plan.max_draft, 16U);
}

}  // namespace
}  // namespace gelato::control
