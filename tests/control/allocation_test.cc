// Policies must not allocate while text is generated: counts every allocation of this test program.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include "gelato/control/policy_kind.h"
#include "tests/control/script.h"

namespace {
std::size_t allocations = 0;
}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  if (void* p = std::malloc(size > 0 ? size : 1)) {
    return p;
  }
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace gelato::control {
namespace {

TEST(PolicyKinds, DoNotAllocateWhileTextIsGenerated) {
  for (const PolicyKind* kind : policy_kinds()) {
    const bool required = !kind->parameters.empty() && std::isnan(kind->parameters[0].fallback);
    const auto policy = testing::make(std::string(kind->name) + (required ? ":5" : ""));
    const std::vector<float> entropies(kMaxDraftLength, 0.1F);
    const std::size_t before = allocations;
    for (int round = 0; round < 50; ++round) {
      const std::uint32_t drafted = testing::draft_entropies(*policy, entropies);
      testing::end_round(*policy, drafted, drafted / 2);
    }
    EXPECT_EQ(allocations, before) << kind->name;
  }
}

}  // namespace
}  // namespace gelato::control
