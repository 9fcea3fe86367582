// Generations across an edge that fails in every way, on a virtual clock: what is written, what is
// sent, and how long it takes to find out.
#include "gelato/device/remote_verifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "tests/device/chunk_policy.h"
#include "tests/device/toy_session.h"

namespace gelato::device {
namespace {

using proto::WireMode;
using ::testing::Each;
using ::testing::HasSubstr;
using toy::ToyModel;

constexpr std::uint64_t kTokens = 60;

class RemoteVerifierTest : public ::testing::Test {
 protected:
  static ToyModel target() {
    return ToyModel::random({.n_vocab = 6, .order = 3, .sharpness = 3.0}, 1);
  }
  static ToyModel unlike() {
    return ToyModel::random({.n_vocab = 6, .order = 3, .sharpness = 3.0}, 2);
  }
  std::vector<spec::Token> target_text(std::size_t n) {
    return target_.greedy_text(std::vector<spec::Token>{1, 0}, n);
  }
  static bool is_draft(const proto::DeviceMessage& message) {
    return std::holds_alternative<proto::Draft>(message);
  }

  ToyModel target_ = target();
  // Right about two tokens of three.
  ToyModel draft_ = ToyModel::mix(target_, unlike(), 0.4);
};

TEST_F(RemoteVerifierTest, WritesWhatTheTargetWrites) {
  for (const char* policy : {"static:1", "static:4", "static:16", "edge-only", "p-min:0.3"}) {
    ToySession session(target_, draft_, WireMode::kIds);
    const auto stats = session.write(policy, kTokens);
    ASSERT_TRUE(stats.has_value()) << stats.error().message;
    EXPECT_EQ(session.sink.tokens(), target_text(kTokens)) << policy;
    EXPECT_EQ(stats->stop, StopReason::kLimit);
    EXPECT_EQ(session.edge.opens().size(), 1U);
    EXPECT_EQ(session.verifier->stats().losses, 0U);
    EXPECT_GT(stats->acceptance.rounds(), 0U);
  }
}

TEST_F(RemoteVerifierTest, AnswersThatGetLostChangeNothing) {
  for (const Fault fault : {Fault::kLoseAnswer, Fault::kLoseMessage, Fault::kSilence}) {
    ToySession session(target_, draft_, WireMode::kIds);
    int messages = 0;
    session.edge.fault = [&](const auto&) { return ++messages % 5 == 0 ? fault : Fault::kNone; };
    const auto stats = session.write("static:3", kTokens);
    ASSERT_TRUE(stats.has_value()) << stats.error().message;
    EXPECT_EQ(session.sink.tokens(), target_text(kTokens));
    EXPECT_GT(session.edge.opens().size(), 3U);
    EXPECT_EQ(session.edge.sessions(), 1U) << "every stream resumed the one session";
  }
}

TEST_F(RemoteVerifierTest, ALostOpenIsSentAgain) {
  for (const Fault fault : {Fault::kLoseAnswer, Fault::kLoseMessage, Fault::kSilence}) {
    for (const char* policy : {"static:3", "edge-only"}) {
      for (const int which : {1, 2}) {  // Open, and the request that is sent behind it
        ToySession session(target_, draft_, WireMode::kIds);
        int messages = 0;
        session.edge.fault = [&](const auto&) {
          return ++messages == which ? fault : Fault::kNone;
        };
        const auto stats = session.write(policy, kTokens);
        ASSERT_TRUE(stats.has_value()) << stats.error().message;
        EXPECT_EQ(session.sink.tokens(), target_text(kTokens)) << policy;
        EXPECT_EQ(session.edge.opens().size(), 2U);
      }
    }
  }
}

TEST_F(RemoteVerifierTest, ARestartedEdgeIsSentTheWholeText) {
  ToySession session(target_, draft_, WireMode::kIds);
  int drafts = 0;
  session.edge.fault = [&](const proto::DeviceMessage& message) {
    if (is_draft(message) && ++drafts == 4) {
      session.edge.restart();
    }
    return Fault::kNone;
  };
  ASSERT_TRUE(session.write("static:4", kTokens));
  EXPECT_EQ(session.sink.tokens(), target_text(kTokens));
  const auto opens = session.edge.opens();
  ASSERT_EQ(opens.size(), 3U);
  EXPECT_TRUE(opens[1].resume.has_value());
  EXPECT_FALSE(opens[2].resume.has_value());
  EXPECT_EQ(opens[2].tokens.size(), opens[1].resume->count);
  EXPECT_EQ(session.verifier->stats().losses, 1U);
}

TEST_F(RemoteVerifierTest, ABurstThatBreaksOffGoesOnWhereItStopped) {
  ToySession session(target_, draft_, WireMode::kIds);
  session.sink.at(10, [&] { session.edge.restart(); });
  ASSERT_TRUE(session.write("edge-only", kTokens));
  EXPECT_EQ(session.sink.tokens(), target_text(kTokens));
  EXPECT_THAT(session.sink.origins(), Each(Origin::kTarget));
}

TEST_F(RemoteVerifierTest, WaitsOutAnEdgeThatIsAwayForMinutes) {
  ToySession session(target_, draft_, WireMode::kIds);
  session.sink.at(20, [&] { session.edge.unreachable_until = session.clock.now() + Seconds(200); });
  ASSERT_TRUE(session.write("static:4", kTokens));
  EXPECT_EQ(session.sink.tokens(), target_text(kTokens));
  EXPECT_EQ(session.verifier->stats().losses, 1U);
  EXPECT_GT(session.verifier->stats().away, Seconds(200));
  EXPECT_LT(session.verifier->stats().away, Seconds(210)) << "noticed soon";
  ASSERT_EQ(session.log.lines.size(), 2U) << "one line when it goes, one when it is back";
  EXPECT_THAT(session.log.lines[0], HasSubstr("toy:1"));
  EXPECT_THAT(session.log.lines[1], HasSubstr("is back after"));
}

TEST_F(RemoteVerifierTest, GivesUpWithTheReasonWhenTheTimeIsUp) {
  ToySession session(target_, draft_, WireMode::kIds);
  session.options.reconnect.give_up = Seconds(30);
  session.sink.at(20, [&] { session.edge.unreachable_until = Seconds(1e9); });
  const auto stats = session.write("static:4", kTokens);
  ASSERT_FALSE(stats.has_value());
  EXPECT_EQ(stats.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(stats.error().message, "edge toy:1: connection reset");
  EXPECT_LT(session.clock.now(), Seconds(31));
  const auto& got = session.sink.tokens();
  EXPECT_GE(got.size(), 20U);
  const auto want = target_text(kTokens);
  EXPECT_TRUE(std::equal(got.begin(), got.end(), want.begin()));
}

TEST_F(RemoteVerifierTest, StopsAtOnceIfToldSo) {
  ToySession session(target_, draft_, WireMode::kIds);
  session.options.when_offline = WhenOffline::kStop;
  session.sink.at(20, [&] { session.edge.restart(); });
  const auto stats = session.write("static:4", kTokens);
  ASSERT_FALSE(stats.has_value());
  EXPECT_EQ(stats.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(session.edge.paused(), Seconds(0));
}

TEST_F(RemoteVerifierTest, AnEdgeThatSaysNothingIsFoundOutInTime) {
  ToySession session(target_, draft_, WireMode::kIds);
  session.options.when_offline = WhenOffline::kStop;
  session.edge.fault = [](const auto& message) {
    return is_draft(message) ? Fault::kSilence : Fault::kNone;
  };
  auto stats = session.write("static:4", kTokens);
  EXPECT_EQ(stats.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_THAT(stats.error().message, HasSubstr("no answer came within 10 s"));
  EXPECT_NEAR(session.clock.now().value(), 10.0, 0.2);
  session.edge.fault = [](const auto&) { return Fault::kSilence; };
  stats = session.write("static:4", kTokens);
  EXPECT_THAT(stats.error().message, HasSubstr("prompt was not read within 60 s"));
}

TEST_F(RemoteVerifierTest, AnInterruptEndsEveryWaitAndTheTextSoFarStands) {
  ToySession session(target_, draft_, WireMode::kIds);
  session.sink.at(20, [&] {
    session.edge.fault = [](const auto& message) {
      return is_draft(message) ? Fault::kSilence : Fault::kNone;
    };
  });
  session.options.interrupted = [&] { return session.clock.now() > Seconds(3); };
  auto stats = session.write("static:4", kTokens);
  ASSERT_TRUE(stats.has_value()) << stats.error().message;
  EXPECT_EQ(stats->stop, StopReason::kSink);
  EXPECT_EQ(session.sink.tokens(), target_text(session.sink.tokens().size()));
  EXPECT_GE(session.sink.tokens().size(), 20U);
  EXPECT_LT(session.clock.now(), Seconds(3.2));

  ToySession away(target_, draft_, WireMode::kIds);
  away.options.interrupted = [&] { return away.clock.now() > Seconds(3); };
  away.edge.unreachable_until = Seconds(1e9);
  stats = away.write("static:4", kTokens);
  ASSERT_TRUE(stats.has_value()) << stats.error().message;
  EXPECT_EQ(stats->stop, StopReason::kSink);
  EXPECT_EQ(stats->tokens, 0U);
  EXPECT_LT(away.clock.now(), Seconds(3.2));
}

TEST_F(RemoteVerifierTest, AnInterruptThatComesWithALossIsStillAnInterrupt) {
  for (const char* policy : {"static:4", "edge-only"}) {
    ToySession session(target_, draft_, WireMode::kIds);
    bool gone = false;
    int asked = 0;
    session.sink.at(20, [&] {
      session.edge.restart();
      gone = true;
    });
    // Not yet when the device begins to wait, but when the loss is found.
    session.options.interrupted = [&] { return gone && ++asked > 1; };
    const auto stats = session.write(policy, kTokens);
    ASSERT_TRUE(stats.has_value()) << policy << ": " << stats.error().message;
    EXPECT_EQ(stats->stop, StopReason::kSink);
    EXPECT_EQ(session.sink.tokens(), target_text(session.sink.tokens().size()));
  }
}

TEST_F(RemoteVerifierTest, TheSessionIsClosedWhenTheDeviceHasFinished) {
  ToySession session(target_, draft_, WireMode::kIds);
  session.sink.stop_after(10);
  EXPECT_EQ(session.write("static:4", kTokens)->stop, StopReason::kSink);
  EXPECT_EQ(session.edge.sessions(), 1U);
  session.verifier.reset();
  EXPECT_EQ(session.edge.sessions(), 0U);
}

TEST_F(RemoteVerifierTest, AnEdgeThatCancelsIsNotTheUser) {
  ToySession session(target_, draft_, WireMode::kIds);
  session.edge.refusal = {proto::ErrorKind::kCancelled, "cancelled", {}};
  EXPECT_EQ(session.write("static:4", kTokens).error().code, ErrorCode::kUnavailable);
}

TEST_F(RemoteVerifierTest, WhatTheEdgeRefusesForGoodIsToldAtOnce) {
  for (const auto kind : {proto::ErrorKind::kVersion, proto::ErrorKind::kVocabulary,
                          proto::ErrorKind::kUnauthenticated, proto::ErrorKind::kMode}) {
    for (const auto offline : {WhenOffline::kStop, WhenOffline::kWait, WhenOffline::kDraft}) {
      ToySession session(target_, draft_, WireMode::kIds);
      session.options.when_offline = offline;
      session.edge.refusal = {kind, "these two do not fit", {}};
      const auto stats = session.write("static:4", kTokens);
      ASSERT_FALSE(stats.has_value());
      EXPECT_EQ(stats.error().message, "edge toy:1: these two do not fit");
      EXPECT_EQ(stats.error().code, proto::to_error({kind, "", {}}).code);
      EXPECT_TRUE(session.sink.tokens().empty());
    }
  }
}

TEST_F(RemoteVerifierTest, ABusyEdgeIsAskedAgainWhenItSaid) {
  ToySession session(target_, draft_, WireMode::kIds);
  session.edge.refusal = {proto::ErrorKind::kBusy, "no room", Seconds(20)};
  session.edge.fault = [&](const auto&) {
    if (session.clock.now() > Seconds(30)) {
      session.edge.refusal.reset();
    }
    return Fault::kNone;
  };
  ASSERT_TRUE(session.write("static:4", kTokens));
  EXPECT_EQ(session.edge.opens().size(), 3U);
  EXPECT_EQ(session.sink.tokens(), target_text(kTokens));
}

TEST_F(RemoteVerifierTest, ABrokenEdgeIsNotBelieved) {
  const auto with = [](auto change) {
    return [change](proto::EdgeMessage& message) {
      if (auto* verdict = std::get_if<proto::Verdict>(&message)) {
        change(*verdict);
      }
    };
  };
  const std::vector<std::function<void(proto::EdgeMessage&)>> lies = {
      with([](proto::Verdict& v) { v.accepted = 60; }),
      with([](proto::Verdict& v) { v.next = {}; }),
      with([](proto::Verdict& v) { v.number += 1; }),
      [](proto::EdgeMessage& message) { message = proto::Stale{.number = 1}; },
      [](proto::EdgeMessage& message) {
        if (auto* opened = std::get_if<proto::Opened>(&message)) {
          opened->committed += 1;
        }
      },
      [](proto::EdgeMessage& message) {
        if (std::holds_alternative<proto::Verdict>(message)) {
          message = proto::Opened{.committed = 2, .limits = {}, .timing = {}};
        }
      }};
  for (const auto& lie : lies) {
    ToySession session(target_, draft_, WireMode::kIds);
    session.edge.rewrite = lie;
    const auto stats = session.write("static:4", kTokens);
    ASSERT_FALSE(stats.has_value());
    EXPECT_EQ(stats.error().code, ErrorCode::kCorrupt) << stats.error().message;
  }
}

TEST_F(RemoteVerifierTest, TheNextTurnOfAConversationKeepsTheSession) {
  ToySession session(target_, draft_, WireMode::kIds);
  ASSERT_TRUE(session.write("static:4", 10));
  auto turn = session.prompt;
  turn.insert(turn.end(), session.sink.tokens().begin(), session.sink.tokens().end());
  turn.push_back(3);
  session.prompt = turn;
  session.sink.clear();
  ASSERT_TRUE(session.write("static:4", 20));
  EXPECT_EQ(session.sink.tokens(), target_.greedy_text(turn, 20));
  EXPECT_EQ(session.edge.sessions(), 1U);
  EXPECT_EQ(session.verifier->stats().prompt_tokens_reused, 12U);
  session.prompt = {4};  // something else
  session.sink.clear();
  ASSERT_TRUE(session.write("static:4", 20));
  EXPECT_EQ(session.sink.tokens(), target_.greedy_text(session.prompt, 20));
  EXPECT_EQ(session.edge.sessions(), 1U) << "the old session was closed";
}

TEST_F(RemoteVerifierTest, TheContextOfTheEdgeEndsTheText) {
  for (const char* policy : {"static:4", "edge-only"}) {
    ToySession session(target_, draft_, WireMode::kIds);
    session.context_tokens = 30;
    session.edge.context_tokens = 30;
    const auto stats = session.write(policy, 0);
    ASSERT_TRUE(stats.has_value()) << stats.error().message;
    EXPECT_EQ(stats->stop, StopReason::kContext);
    EXPECT_GE(session.sink.tokens().size(), 28U);
    EXPECT_EQ(session.sink.tokens(), target_text(session.sink.tokens().size()));
  }
}

// --when-offline draft: what nobody verified is marked, and the target goes on after it.
TEST_F(RemoteVerifierTest, WhileTheEdgeIsAwayTheDraftWritesAloneAndSaysSo) {
  ToySession session(target_, draft_, WireMode::kIds);
  session.options.when_offline = WhenOffline::kDraft;
  session.sink.at(20, [&] { session.edge.unreachable_until = session.clock.now() + Seconds(2.5); });
  session.sink.on_each([&] { session.clock.advance(Seconds(0.1)); });
  const auto stats = session.write("static:4", 100);
  ASSERT_TRUE(stats.has_value()) << stats.error().message;
  const auto& tokens = session.sink.tokens();
  const auto& origins = session.sink.origins();
  ASSERT_EQ(tokens.size(), 100U);
  const auto first = std::find(origins.begin(), origins.end(), Origin::kDraft) - origins.begin();
  const auto count = std::count(origins.begin(), origins.end(), Origin::kDraft);
  EXPECT_GE(first, 20);
  EXPECT_GT(count, 20);
  EXPECT_LT(count, 60);
  EXPECT_EQ(stats->unverified, static_cast<std::uint64_t>(count));
  for (auto i = first; i < first + count; ++i) {
    EXPECT_EQ(origins[static_cast<std::size_t>(i)], Origin::kDraft) << "one stretch";
  }
  // Each stretch is what its own model writes after the text so far.
  std::vector<spec::Token> text = session.prompt;
  const auto stretch = [&](const ToyModel& model, std::size_t from, std::size_t n) {
    const std::vector<spec::Token> want = model.greedy_text(text, n);
    EXPECT_TRUE(
        std::equal(want.begin(), want.end(), tokens.begin() + static_cast<std::ptrdiff_t>(from)))
        << "tokens " << from << " to " << from + n;
    text.insert(text.end(), want.begin(), want.end());
  };
  const auto begin = static_cast<std::size_t>(first);
  const auto end = begin + static_cast<std::size_t>(count);
  stretch(target_, 0, begin);
  stretch(draft_, begin, end - begin);
  stretch(target_, end, tokens.size() - end);
}

TEST_F(RemoteVerifierTest, WithTheEdgeGoneForGoodTheDraftFinishesTheText) {
  for (const char* policy : {"static:4", "edge-only"}) {
    ToySession session(target_, draft_, WireMode::kIds);
    session.options.when_offline = WhenOffline::kDraft;
    session.sink.at(20, [&] {
      session.edge.restart();
      session.edge.unreachable_until = Seconds(1e9);
    });
    session.sink.on_each([&] { session.clock.advance(Seconds(1)); });
    const auto stats = session.write(policy, kTokens);
    ASSERT_TRUE(stats.has_value()) << stats.error().message;
    EXPECT_EQ(session.sink.tokens().size(), kTokens);
    EXPECT_EQ(session.sink.origins().back(), Origin::kDraft);
    EXPECT_EQ(session.edge.paused(), Seconds(0)) << "nothing was waited for";
  }
}

TEST_F(RemoteVerifierTest, DeviceOnlyAsksTheEdgeForNothing) {
  ToySession session(target_, draft_, WireMode::kIds);
  const auto stats = session.write("device-only", kTokens);
  ASSERT_TRUE(stats.has_value()) << stats.error().message;
  EXPECT_EQ(session.sink.tokens(), draft_.greedy_text(session.prompt, kTokens));
  EXPECT_THAT(session.sink.origins(), Each(Origin::kDraft));
  EXPECT_EQ(session.edge.messages().size(), 1U);
}

TEST_F(RemoteVerifierTest, CostsOfLinkAndPassesReachThePolicy) {
  ToySession session(target_, draft_, WireMode::kIds);
  ASSERT_TRUE(session.write("static:4", 200));
  control::CostEstimate cost;
  session.verifier->estimate(cost);
  // The toy edge takes 10 ms, of which it calls 2 ms the pass; messages are of equal size here.
  EXPECT_NEAR(cost.verify_base.value() + 4 * cost.verify_token.value(), 0.002, 1e-4);
  EXPECT_EQ(cost.devices, 3.0) << "as the toy edge says";
  EXPECT_NEAR(cost.round_trip.value(), 0.008, 5e-4);
  EXPECT_NEAR((cost.uplink_bits_per_round + 4 * cost.uplink_bits_per_token).value(), 8.0 * 28, 8.0);
  const RemoteStats stats = session.verifier->stats();
  EXPECT_EQ(stats.passes, stats.requests);
  EXPECT_NEAR(stats.busy.value(), 0.001 * static_cast<double>(stats.passes), 1e-6);
}

// Drafting goes on while chunks travel, up to 6 ms a token: an answer that comes meanwhile is read
// late, and must not make the link look slow.
TEST_F(RemoteVerifierTest, AnswersThatAreReadLateTellNothingOfTheLink) {
  ToySession session(target_, draft_, WireMode::kIds);
  ChunkPolicy policy(session.clock, 1);
  ASSERT_TRUE(session.write(policy, 400));
  EXPECT_GT(session.edge.most_in_flight(), 1U);
  const link::LinkEstimate link = session.verifier->link();
  EXPECT_GT(link.rounds, 20U);
  EXPECT_NEAR(link.rtt.value.value(), 0.008, 5e-4);
}

}  // namespace
}  // namespace gelato::device
