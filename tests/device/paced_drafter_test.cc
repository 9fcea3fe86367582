// Drafting at the speed of a profile, on a clock that the test moves.
#include "gelato/device/paced_drafter.h"

#include <gtest/gtest.h>

#include "tests/support/toy_model.h"

namespace gelato::device {
namespace {

const std::vector<spec::Token> kPrompt(100, 1);

Pacing pacing() {
  Pacing out;
  out.profile.draft_token = milliseconds(10);
  out.profile.draft_token_per_context = milliseconds(0.1);
  return out;
}

TEST(PacedDrafter, ATokenTakesTheTimeOfTheProfileAtItsContext) {
  const auto model = toy::ToyModel::random({.n_vocab = 5, .order = 2}, 1);
  toy::ToyDrafter toy(model, spec::Mode::kGreedy, 1);
  VirtualClock clock;
  Pacing pace = pacing();
  PacedDrafter drafter(toy, &pace, clock, [&](Seconds time) { clock.advance(time); });
  ASSERT_TRUE(drafter.start(kPrompt).has_value());
  spec::Draft draft;
  ASSERT_TRUE(drafter.draft_one(draft, 0.0F).has_value());
  EXPECT_NEAR(clock.now().value(), 0.010 + 100.5 * 0.0001, 1e-12);
  ASSERT_TRUE(drafter.draft_one(draft, 0.0F).has_value());
  EXPECT_NEAR(clock.now().value(), pace.profile.draft_time(100, 2).value(), 1e-12);
  ASSERT_TRUE(drafter.commit(2, 3).has_value());
  const Seconds before = clock.now();
  draft.clear();
  ASSERT_TRUE(drafter.draft_one(draft, 0.0F).has_value());
  EXPECT_NEAR((clock.now() - before).value(), pace.profile.draft_time(103, 1).value(), 1e-12);
  EXPECT_EQ(pace.tokens, 3U);
  EXPECT_EQ(pace.late, 0U);
}

TEST(PacedDrafter, AWaitThatOversleptShortensTheNext) {
  const auto model = toy::ToyModel::random({.n_vocab = 5, .order = 2}, 1);
  toy::ToyDrafter toy(model, spec::Mode::kGreedy, 1);
  VirtualClock clock;
  Pacing pace = pacing();
  pace.profile.draft_token_per_context = Seconds();
  PacedDrafter drafter(toy, &pace, clock,
                       [&](Seconds time) { clock.advance(time + milliseconds(2)); });
  ASSERT_TRUE(drafter.start(kPrompt).has_value());
  spec::Draft draft;
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(drafter.draft_one(draft, 0.0F).has_value());
  }
  EXPECT_NEAR(clock.now().value(), 0.052, 1e-12);
}

// Takes a second for a token.
class SlowDrafter final : public spec::Drafter {
 public:
  explicit SlowDrafter(VirtualClock& clock) : clock_(clock) {}
  Result<void> start(std::span<const spec::Token>) override { return {}; }
  Result<std::optional<spec::RowStats>> draft_one(spec::Draft&, float) override {
    clock_.advance(Seconds(1.0));
    return std::optional<spec::RowStats>(spec::RowStats{});
  }
  Result<void> commit(std::uint32_t, spec::Token) override { return {}; }

 private:
  VirtualClock& clock_;
};

TEST(PacedDrafter, ATokenThatTakesLongerHereIsCountedAndNotDelayed) {
  VirtualClock clock;
  SlowDrafter slow(clock);
  Pacing pace = pacing();
  PacedDrafter drafter(slow, &pace, clock, [](Seconds) { FAIL() << "nothing to wait for"; });
  ASSERT_TRUE(drafter.start(kPrompt).has_value());
  spec::Draft draft;
  ASSERT_TRUE(drafter.draft_one(draft, 0.0F).has_value());
  EXPECT_EQ(pace.late, 1U);
  EXPECT_EQ(clock.now(), Seconds(1.0));
}

TEST(PacedDrafter, WithoutPacingNothingWaits) {
  VirtualClock clock;
  SlowDrafter slow(clock);
  PacedDrafter drafter(slow, nullptr, clock, [](Seconds) { FAIL() << "nothing to wait for"; });
  spec::Draft draft;
  EXPECT_TRUE(drafter.draft_one(draft, 0.0F).has_value());
  EXPECT_EQ(clock.now(), Seconds(1.0));
}

}  // namespace
}  // namespace gelato::device
