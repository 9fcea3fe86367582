// Policies must not allocate while text is generated: counts every allocation of this test program.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "gelato/control/policy_kind.h"
#include "tests/control/script.h"
#include "tests/support/allocation_count.h"

namespace gelato::control {
namespace {

TEST(PolicyKinds, DoNotAllocateWhileTextIsGenerated) {
  for (const PolicyKind* kind : policy_kinds()) {
    const bool required = !kind->parameters.empty() && std::isnan(kind->parameters[0].fallback);
    const auto policy = testing::make(std::string(kind->name) + (required ? ":5" : ""));
    const std::vector<float> entropies(kMaxDraftLength, 0.1F);
    const std::size_t before = toy::allocations;
    for (int round = 0; round < 50; ++round) {
      const std::uint32_t drafted = testing::draft_entropies(*policy, entropies);
      testing::end_round(*policy, drafted, drafted / 2);
    }
    EXPECT_EQ(toy::allocations, before) << kind->name;
  }
}

}  // namespace
}  // namespace gelato::control
