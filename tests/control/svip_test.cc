#include "gelato/control/svip.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/control/script.h"

namespace gelato::control {
namespace {

using testing::draft_entropies;
using testing::make;

// The authors' setting: sqrt(0.15 H) > 0.3 means H > 0.6 nats, and the uncertain token is sent.
TEST(Svip, StopsAfterTheFirstRowAboveSixTenthsOfANat) {
  const auto policy = make("svip");
  EXPECT_EQ(draft_entropies(*policy, std::vector{0.1F, 0.59F, 0.3F, 0.61F, 0.0F}), 4U);
  EXPECT_EQ(draft_entropies(*policy, std::vector{3.0F, 0.0F}), 1U);
  EXPECT_EQ(draft_entropies(*policy, std::vector<float>(64, 0.5F)), 40U) << "at most length";
}

// Both rules compare an entropy with a constant: with the same scale and lambda = 1 - h they end
// every draft at the same token.
TEST(Svip, IsAdaEdlWithoutTheAdaptation) {
  const auto svip = make("svip:threshold=0.4,scale=0.2,length=16");
  const auto adaedl = make("adaedl:threshold=0.6,scale=0.2,length=16");
  Rng rng(9, "entropies");
  for (int draft = 0; draft < 200; ++draft) {
    std::vector<float> entropies(16);
    for (float& h : entropies) {
      h = static_cast<float>(1.2 * rng.uniform());
    }
    ASSERT_EQ(draft_entropies(*svip, entropies), draft_entropies(*adaedl, entropies));
  }
}

}  // namespace
}  // namespace gelato::control
