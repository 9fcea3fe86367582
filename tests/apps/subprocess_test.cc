#include "gelato/subprocess.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

namespace gelato::cli {
namespace {

using ::testing::HasSubstr;

class SubprocessTest : public ::testing::Test {
 protected:
  Result<ProcessResult> shell(const std::string& script, const ProcessLimits& limits = {}) {
    return run_process({"/bin/sh", "-c", script}, clock_, limits);
  }
  SteadyClock clock_;
};

TEST_F(SubprocessTest, CollectsBothStreamsAndTheExitCode) {
  const auto result = shell("echo out; echo err >&2; exit 7");
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->out, "out\n");
  EXPECT_EQ(result->err, "err\n");
  EXPECT_EQ(result->exit_code, 7);
  EXPECT_EQ(result->signal, 0);
}

TEST_F(SubprocessTest, TellsASignalFromAnExitCode) {
  const auto result = shell("kill -TERM $$");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->signal, SIGTERM);
  EXPECT_EQ(result->exit_code, -1);
}

TEST_F(SubprocessTest, TheArgumentsArriveAsTheyAreAndTheInputIsEmpty) {
  const auto result = run_process(
      {"/bin/sh", "-c", "printf '%s|' \"$@\"; cat", "sh", "a b", "", "$HOME\n'\""}, clock_, {});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->out, "a b||$HOME\n'\"|");
}

TEST_F(SubprocessTest, NothingThatIsWrittenBeforeTheEndIsLost) {
  // More than a pipe holds, on both streams, and last words right before the end.
  const auto result = shell(
      "head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2; printf last; printf words >&2");
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->out.size(), 300004U);
  EXPECT_TRUE(result->out.ends_with("last"));
  EXPECT_TRUE(result->err.ends_with("words"));
}

TEST_F(SubprocessTest, ABrokenPipeEndsAProgramThatExpectsThat) {
  std::signal(SIGPIPE, SIG_IGN);  // as the commands do
  const auto result = shell("yes | head -c 4");
  std::signal(SIGPIPE, SIG_DFL);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->out, "y\ny\n");
}

TEST_F(SubprocessTest, SaysWhatCannotBeStarted) {
  const auto missing = run_process({"/no/such/program"}, clock_, {});
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().message, HasSubstr("/no/such/program"));
  EXPECT_EQ(run_process({"/etc/passwd"}, clock_, {}).error().code, ErrorCode::kPermissionDenied);
}

TEST_F(SubprocessTest, KillsAtTheDeadline) {
  const auto result = shell("exec sleep 1000", {.deadline = Seconds(0.0)});
  EXPECT_EQ(result.error().code, ErrorCode::kDeadlineExceeded);
}

TEST_F(SubprocessTest, KillsWhenCancelled) {
  int asked = 0;
  const auto result = shell("exec sleep 1000", {.cancelled = [&] { return ++asked == 2; }});
  EXPECT_EQ(result.error().code, ErrorCode::kCancelled);
}

TEST_F(SubprocessTest, KillsWhatWritesWithoutEnd) {
  const auto result = shell("exec yes", {.output_bytes = 1000000});
  EXPECT_EQ(result.error().code, ErrorCode::kLimitExceeded);
}

TEST_F(SubprocessTest, AChildOfTheChildThatKeepsThePipeIsNotWaitedFor) {
  const auto result = shell("sleep 1000 & echo $!");
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(::kill(std::stoi(result->out), SIGKILL), 0);
}

}  // namespace
}  // namespace gelato::cli
