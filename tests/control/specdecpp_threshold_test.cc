#include "gelato/control/specdecpp_threshold.h"

#include <gtest/gtest.h>

#include <vector>

#include "gelato/control/acceptance_predictor.h"
#include "tests/control/script.h"

namespace gelato::control {
namespace {

using testing::draft_entropies;
using testing::make;

std::vector<float> entropies(Rng& rng) {
  std::vector<float> out(20);
  for (float& h : out) {
    h = static_cast<float>(2.0 * rng.uniform());
  }
  return out;
}

// The paper's rule on its own: the draft ends after the first token, from the second on, at which
// the probability of a rejection anywhere in it exceeds 0.7.
std::uint32_t length_by_hand(AcceptancePredictor& predictor, const std::vector<float>& rows) {
  double all_accepted = 1.0;
  predictor.begin_round();
  for (std::uint32_t i = 0; i + 1 < rows.size(); ++i) {
    spec::RowStats stats;
    stats.entropy = rows[i];
    all_accepted *= predictor.predict(stats, i);
    if (i >= 1 && 1.0 - all_accepted > 0.7) {
      return i + 1;
    }
  }
  return static_cast<std::uint32_t>(rows.size());
}

TEST(SpecDecPp, StopsWhenARejectionIsLikelyEnough) {
  const auto policy = make("specdecpp-threshold");
  AcceptancePredictor predictor;
  Rng rng(11, "rows");
  for (int round = 0; round < 300; ++round) {
    const std::vector<float> rows = entropies(rng);
    const std::uint32_t drafted = draft_entropies(*policy, rows);
    ASSERT_EQ(drafted, length_by_hand(predictor, rows)) << round;
    const std::uint32_t accepted = testing::accepted_of(drafted, 0.6, rng);
    testing::end_round(*policy, drafted, accepted);
    predictor.learn(drafted, accepted);
  }
}

TEST(SpecDecPp, DraftsLongerWithALargerThreshold) {
  Rng rng(12, "rows");
  const std::vector<float> rows = entropies(rng);
  std::uint32_t previous = 0;
  for (const char* h : {"0", "0.3", "0.7", "0.99", "1"}) {
    const auto policy = make(std::string("specdecpp-threshold:") + h);
    const std::uint32_t length = draft_entropies(*policy, rows);
    EXPECT_GE(length, previous) << h;
    previous = length;
  }
  EXPECT_EQ(previous, 20U) << "at 1 only the bound ends a draft";
  EXPECT_EQ(draft_entropies(*make("specdecpp-threshold:0"), rows), 2U) << "never less than least";
}

TEST(SpecDecPp, LearnsWhichDraftsFail) {
  const auto policy = make("specdecpp-threshold");
  const std::vector<float> rows(20, 0.8F);
  const std::uint32_t before = draft_entropies(*policy, rows);
  for (int round = 0; round < 50; ++round) {
    testing::end_round(*policy, draft_entropies(*policy, rows), 0);
  }
  EXPECT_LT(draft_entropies(*policy, rows), before);
}

}  // namespace
}  // namespace gelato::control
