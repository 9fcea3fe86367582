// When the device tries again, and when it gives up.
#include "gelato/device/reconnect.h"

#include <gtest/gtest.h>

#include <vector>

namespace gelato::device {
namespace {

using proto::ErrorKind;
using proto::WireError;

constexpr std::uint64_t kSeed = 1;

WireError gone() { return proto::from_status(14, "connection refused"); }

class ReconnectTest : public ::testing::Test {
 protected:
  static ReconnectOptions quiet() { return {.jitter = 0.0}; }
  // The waits before `n` attempts that all fail with `error`.
  static std::vector<double> waits(Reconnect& reconnect, const WireError& error, int n) {
    std::vector<double> out;
    Seconds now;
    for (int i = 0; i < n; ++i) {
      const auto step = reconnect.failed(error, now);
      EXPECT_NE(step.recovery, Recovery::kNone) << "attempt " << i;
      out.push_back((step.at - now).value());
      now = step.at;
    }
    return out;
  }
};

TEST_F(ReconnectTest, WaitsGrowUpToTheLongest) {
  Reconnect reconnect({.jitter = 0.0, .give_up = Seconds(1000)}, Rng(kSeed, "jitter"));
  WireError error = gone();
  error.retry_after = Seconds(0);
  const auto wait = waits(reconnect, error, 12);
  EXPECT_LT(wait[0], 0.2);  // spread from the start on
  EXPECT_DOUBLE_EQ(wait[1], 0.2 * 1.6);
  EXPECT_DOUBLE_EQ(wait[2], 0.2 * 1.6 * 1.6);
  EXPECT_DOUBLE_EQ(wait[11], 5.0);
}

TEST_F(ReconnectTest, JitterStaysWithinItsShareAndDiffersBetweenDevices) {
  WireError error = gone();
  error.retry_after = Seconds(0);
  std::vector<std::vector<double>> devices;
  for (std::uint64_t device = 0; device < 50; ++device) {
    Reconnect reconnect({}, Rng(device, "jitter"));
    devices.push_back(waits(reconnect, error, 12));
    EXPECT_GE(devices.back()[11], 5.0 * 0.8);
    EXPECT_LE(devices.back()[11], 5.0 * 1.2);
    EXPECT_LT(devices.back()[0], 0.2);
  }
  EXPECT_NE(devices[0], devices[1]);
}

TEST_F(ReconnectTest, TheEdgesOwnWordOnWhenToReturnIsRespected) {
  Reconnect reconnect(quiet(), Rng(kSeed, "jitter"));
  const auto step =
      reconnect.failed({ErrorKind::kDraining, "shutting down", Seconds(7.5)}, Seconds(100));
  EXPECT_EQ(step.recovery, Recovery::kResume);
  EXPECT_EQ(step.at, Seconds(107.5));
}

TEST_F(ReconnectTest, GivesUpWhenTheTimeIsUpAndNotBefore) {
  Reconnect reconnect({.jitter = 0.0, .give_up = Seconds(60)}, Rng(kSeed, "jitter"));
  Seconds now(1000);
  int attempts = 0;
  for (;; ++attempts) {
    const auto step = reconnect.failed(gone(), now);
    if (step.recovery == Recovery::kNone) {
      break;
    }
    EXPECT_LE(step.at, Seconds(1060));
    now = step.at;
  }
  EXPECT_GT(now, Seconds(1054));  // the last attempt was made close to the limit
  EXPECT_GT(attempts, 10);
}

TEST_F(ReconnectTest, AnAnswerStartsEverythingAfresh) {
  Reconnect reconnect({.jitter = 0.0, .give_up = Seconds(60)}, Rng(kSeed, "jitter"));
  for (int hour = 0; hour < 10; ++hour) {
    EXPECT_NE(reconnect.failed(gone(), Seconds(3600.0 * hour)).recovery, Recovery::kNone);
    EXPECT_EQ(reconnect.attempts(), 1U);
    reconnect.answered();
  }
}

TEST_F(ReconnectTest, AForgottenSessionIsOpenedAnewAtOnce) {
  Reconnect reconnect(quiet(), Rng(kSeed, "jitter"));
  const auto step = reconnect.failed({ErrorKind::kUnknownSession, "no such session", {}}, {});
  EXPECT_EQ(step.recovery, Recovery::kAnew);
  EXPECT_EQ(step.at, Seconds(0));
}

TEST_F(ReconnectTest, AnEdgeThatKeepsFailingIsGivenUpSoon) {
  for (const ErrorKind kind :
       {ErrorKind::kInternal, ErrorKind::kUnspecified, ErrorKind::kUnknownSession,
        ErrorKind::kReplaced, ErrorKind::kIdle, ErrorKind::kCancelled}) {
    Reconnect reconnect(quiet(), Rng(kSeed, "jitter"));
    waits(reconnect, {kind, "failed", {}}, 5);
    EXPECT_EQ(reconnect.failed({kind, "failed", {}}, Seconds(10)).recovery, Recovery::kNone)
        << proto::to_string(kind);
  }
}

TEST_F(ReconnectTest, WhatCannotBeMendedIsNotTriedAgain) {
  for (const ErrorKind kind :
       {ErrorKind::kVersion, ErrorKind::kModel, ErrorKind::kVocabulary, ErrorKind::kMode,
        ErrorKind::kMalformed, ErrorKind::kTokenRange, ErrorKind::kRow, ErrorKind::kPosition,
        ErrorKind::kTooLong, ErrorKind::kTooMany, ErrorKind::kContextFull, ErrorKind::kUnexpected,
        ErrorKind::kUnauthenticated}) {
    Reconnect reconnect(quiet(), Rng(kSeed, "jitter"));
    EXPECT_EQ(reconnect.failed({kind, "no", Seconds(1)}, {}).recovery, Recovery::kNone)
        << proto::to_string(kind);
  }
}

TEST_F(ReconnectTest, EveryKindOfErrorHasARecovery) {
  for (int kind = 0; kind <= static_cast<int>(proto::kLastErrorKind); ++kind) {
    const Recovery recovery = recovery_of(static_cast<ErrorKind>(kind));
    EXPECT_LE(static_cast<int>(recovery), static_cast<int>(Recovery::kAnew));
    if (is_absence(static_cast<ErrorKind>(kind))) {
      EXPECT_EQ(recovery, Recovery::kResume);
    }
  }
}

}  // namespace
}  // namespace gelato::device
