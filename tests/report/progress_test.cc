#include "gelato/report/progress.h"

#include <gtest/gtest.h>

#include <string>

namespace gelato::report {
namespace {

class ProgressTest : public ::testing::Test {
 protected:
  Progress make(std::uint64_t total, Terminal terminal) {
    return {"bench", total, terminal, clock_, [this](std::string_view s) { shown_ += s; }};
  }
  std::string take() { return std::exchange(shown_, {}); }

  VirtualClock clock_;
  std::string shown_;
};

TEST_F(ProgressTest, PipedPrintsALineNowAndThenAndTheLast) {
  Progress progress = make(100, {});
  progress.update(0);
  EXPECT_EQ(take(), "bench: 0 of 100\n");
  clock_.advance(Seconds(4.0));
  progress.update(40);
  EXPECT_EQ(take(), "");
  clock_.advance(Seconds(1.0));
  progress.update(50);
  EXPECT_EQ(take(), "bench: 50 of 100\n");
  progress.update(100);
  EXPECT_EQ(take(), "bench: 100 of 100\n");
  progress.update(100);
  EXPECT_EQ(take(), "");
}

TEST_F(ProgressTest, TerminalRedrawsOneLineAndEndsIt) {
  {
    Progress progress = make(4, {.interactive = true});
    progress.update(1);
    EXPECT_EQ(take(), "\r\x1b[Kbench ######.................. 1/4");
    progress.update(2);
    EXPECT_EQ(take(), "");
    clock_.advance(Seconds(0.1));
    progress.update(2);
    EXPECT_EQ(take(), "\r\x1b[Kbench ############............ 2/4");
    progress.update(9);
    EXPECT_EQ(take(), "\r\x1b[Kbench ######################## 4/4\n");
  }
  EXPECT_EQ(take(), "");
}

TEST_F(ProgressTest, StoppingEarlyLeavesTheNextLineFree) {
  make(4, {.interactive = true}).update(1);
  EXPECT_EQ(take().back(), '\n');
}

TEST_F(ProgressTest, NarrowTerminalGetsNumbersOnly) {
  make(4, {.interactive = true, .columns = 20}).update(1);
  EXPECT_EQ(take(), "\r\x1b[K1/4\n");
}

TEST_F(ProgressTest, NothingToDoShowsNothing) {
  make(0, {}).update(0);
  EXPECT_EQ(take(), "");
}

}  // namespace
}  // namespace gelato::report
