// Passes at the speed of another machine, on a clock that the test moves.
#include "gelato/edge/paced_target.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/edge/toy_target.h"

namespace gelato::edge {
namespace {

constexpr PassPace kPace{milliseconds(40), milliseconds(0.5)};

struct PacedTargetTest : ::testing::Test {
  // Decodes so many tokens of each of these sequences; how long that took.
  Seconds decode(Target& target, const std::vector<std::uint32_t>& counts) {
    const std::vector<spec::Token> tokens(64, 1);
    std::vector<Target::Append> appends;
    for (std::uint32_t i = 0; i < counts.size(); ++i) {
      appends.push_back({i, std::span(tokens).first(counts[i]), 1});
    }
    const Seconds before = clock.now();
    EXPECT_TRUE(target.decode(appends).has_value());
    return clock.now() - before;
  }

  toy::ToyModel model = toy::ToyModel::random({.n_vocab = 5, .order = 2}, 1);
  ToyTarget toy{model};
  VirtualClock clock;
};

TEST_F(PacedTargetTest, APassTakesItsTimeByTheTokensOfAllSequences) {
  PacedTarget target(toy, kPace, clock, [&](Seconds time) { clock.advance(time); });
  EXPECT_NEAR(decode(target, {1}).value(), 0.040, 1e-12);
  EXPECT_NEAR(decode(target, {5}).value(), 0.042, 1e-12);
  EXPECT_NEAR(decode(target, {5, 4, 2}).value(), 0.045, 1e-12);
}

TEST_F(PacedTargetTest, AWaitThatOversleptShortensTheNext) {
  PacedTarget target(toy, kPace, clock,
                     [&](Seconds time) { clock.advance(time + milliseconds(3)); });
  for (int i = 0; i < 5; ++i) {
    decode(target, {1});
  }
  EXPECT_NEAR(clock.now().value(), 5 * 0.040 + 0.003, 1e-12);
}

TEST_F(PacedTargetTest, WithoutAPaceNothingIsWaitedFor) {
  PacedTarget target(toy, {}, clock, [](Seconds) { FAIL() << "it waited"; });
  EXPECT_EQ(decode(target, {7}), Seconds());
}

TEST_F(PacedTargetTest, AFailureIsToldAtOnce) {
  PacedTarget target(toy, kPace, clock, [](Seconds) { FAIL() << "it waited"; });
  toy.failures = 1;
  const spec::Token token = 1;
  const Target::Append append{0, {&token, 1}, 1};
  EXPECT_FALSE(target.decode({&append, 1}).has_value());
}

}  // namespace
}  // namespace gelato::edge
