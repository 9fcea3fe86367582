#include "gelato/control/virtual_queue.h"

#include <gtest/gtest.h>

#include <cmath>

#include "gelato/base/rng.h"

namespace gelato::control {
namespace {

TEST(VirtualQueue, FollowsEquationSeven) {
  VirtualQueue queue;
  EXPECT_EQ(queue.level(), Joules(0.0));
  queue.step(Joules(2.0), Joules(1.25));
  EXPECT_EQ(queue.level(), Joules(0.75));
  queue.step(Joules(1.0), Joules(1.25));
  EXPECT_EQ(queue.level(), Joules(0.5));
  queue.step(Joules(0.0), Joules(1.25));
  EXPECT_EQ(queue.level(), Joules(0.0)) << "never negative";
}

TEST(VirtualQueue, BoundsTheOvershootOnEveryPath) {
  Rng rng(5, "energy");
  for (int path = 0; path < 50; ++path) {
    VirtualQueue queue;
    double overspent = 0.0;
    for (int k = 0; k < 200; ++k) {
      const Joules spent(3.0 * rng.uniform());
      queue.step(spent, Joules(1.2));
      overspent += spent.value() - 1.2;
      ASSERT_LE(overspent, queue.level().value() + 1e-9);
    }
  }
}

TEST(VirtualQueue, CountsNonsenseAsNothing) {
  VirtualQueue queue;
  queue.step(Joules(1.0), Joules(0.0));
  queue.step(Joules(std::nan("")), Joules(std::nan("")));
  queue.step(Joules(-5.0), Joules(-5.0));
  EXPECT_EQ(queue.level(), Joules(1.0));
}

}  // namespace
}  // namespace gelato::control
