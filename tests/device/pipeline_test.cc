// Rounds in chunks across a toy edge: whatever the shape of the chunks, the moment of the verdicts
// and the faults of the link, the text is the target's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/device/chunk_policy.h"
#include "tests/device/toy_session.h"

namespace gelato::device {
namespace {

using proto::WireMode;
using ::testing::HasSubstr;
using toy::ToyModel;

constexpr std::uint64_t kTokens = 120;

class PipelineTest : public ::testing::Test {
 protected:
  static ToyModel random(std::uint64_t seed) {
    return ToyModel::random({.n_vocab = 6, .order = 3, .sharpness = 3.0}, seed);
  }
  std::vector<spec::Token> target_text(std::size_t n) {
    return target_.greedy_text(std::vector<spec::Token>{1, 0}, n);
  }

  ToyModel target_ = random(1);
  ToyModel draft_ = ToyModel::mix(target_, random(2), 0.35);
};

TEST_F(PipelineTest, WritesWhatTheTargetWritesInChunksOfEveryShape) {
  std::uint64_t stale = 0;
  std::uint64_t chunks = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    ToySession session(target_, draft_, WireMode::kIds, seed);
    ChunkPolicy policy(session.clock, seed);
    const auto stats = session.write(policy, kTokens);
    ASSERT_TRUE(stats.has_value()) << stats.error().message;
    ASSERT_EQ(session.sink.tokens(), target_text(kTokens)) << seed;
    EXPECT_EQ(stats->stop, StopReason::kLimit);
    EXPECT_EQ(policy.committed, kTokens);
    EXPECT_TRUE(policy.consistent);
    EXPECT_LE(session.edge.most_in_flight(), proto::kMaxInFlight);
    EXPECT_EQ(session.edge.opens().size(), 1U);
    EXPECT_EQ(session.verifier->stats().passes, policy.passes);
    stale += session.edge.stale();
    chunks += static_cast<std::uint64_t>(std::count_if(
        session.edge.messages().begin(), session.edge.messages().end(), [](const auto& message) {
          const auto* draft = std::get_if<proto::Draft>(&message);
          return draft != nullptr && draft->no_bonus;
        }));
  }
  EXPECT_GT(stale, 500U);
  EXPECT_GT(chunks, 1000U);
}

TEST_F(PipelineTest, FaultsOfTheLinkChangeNothing) {
  for (const Fault fault : {Fault::kLoseAnswer, Fault::kLoseMessage, Fault::kSilence}) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      ToySession session(target_, draft_, WireMode::kIds, seed);
      Rng faults(seed, "faults");
      session.edge.fault = [&](const auto&) {
        return faults.uniform() < 0.1 ? fault : Fault::kNone;
      };
      ChunkPolicy policy(session.clock, seed);
      const auto stats = session.write(policy, kTokens);
      ASSERT_TRUE(stats.has_value()) << stats.error().message;
      ASSERT_EQ(session.sink.tokens(), target_text(kTokens)) << seed;
      EXPECT_EQ(policy.committed, kTokens);
      EXPECT_GT(session.verifier->stats().losses, 0U);
    }
  }
}

TEST_F(PipelineTest, ARestartedEdgeChangesNothing) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    ToySession session(target_, draft_, WireMode::kIds, seed);
    session.sink.at(50, [&] { session.edge.restart(); });
    ChunkPolicy policy(session.clock, seed);
    ASSERT_TRUE(session.write(policy, kTokens).has_value());
    ASSERT_EQ(session.sink.tokens(), target_text(kTokens)) << seed;
  }
}

TEST_F(PipelineTest, WithTheEdgeGoneForGoodTheDraftFinishesTheText) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    ToySession session(target_, draft_, WireMode::kIds, seed);
    session.options.when_offline = WhenOffline::kDraft;
    session.sink.at(40, [&] {
      session.edge.restart();
      session.edge.unreachable_until = Seconds(1e9);
    });
    ChunkPolicy policy(session.clock, seed);
    const auto stats = session.write(policy, kTokens);
    ASSERT_TRUE(stats.has_value()) << stats.error().message;
    ASSERT_EQ(session.sink.tokens().size(), kTokens);
    const auto verified = static_cast<std::size_t>(kTokens - stats->unverified);
    EXPECT_GE(verified, 40U);
    const auto want = target_text(verified);
    std::vector<spec::Token> text = session.prompt;
    text.insert(text.end(), want.begin(), want.end());
    const auto rest = draft_.greedy_text(text, kTokens - verified);
    text.insert(text.end(), rest.begin(), rest.end());
    EXPECT_TRUE(
        std::equal(session.sink.tokens().begin(), session.sink.tokens().end(), text.begin() + 2))
        << seed;
  }
}

TEST_F(PipelineTest, GelatoPipelinesAndWritesWhatTheTargetWrites) {
  const ToyModel good = ToyModel::mix(target_, random(2), 0.1);
  ToySession session(target_, good, WireMode::kIds);
  session.edge.rewrite = [](proto::EdgeMessage& message) {
    if (auto* verdict = std::get_if<proto::Verdict>(&message)) {
      verdict->timing = {.queue = {}, .verify = Seconds(0.001), .sessions = 1};
    }
  };
  // Time goes by while the device drafts.
  class Slow final : public control::Policy {
   public:
    Slow(VirtualClock& clock, std::unique_ptr<control::Policy> policy)
        : clock_(clock), policy_(std::move(policy)) {}
    control::RoundPlan begin_round(const control::RoundContext& context) override {
      control::RoundContext told = context;
      told.cost.draft_token = milliseconds(2);
      const control::RoundPlan plan = policy_->begin_round(told);
      chunked += plan.chunk > 0 ? 1 : 0;
      return plan;
    }
    bool keep_drafting(const control::DraftState& state) override {
      clock_.advance(milliseconds(2));
      return policy_->keep_drafting(state);
    }
    void end_round(const control::RoundOutcome& outcome) override { policy_->end_round(outcome); }
    [[nodiscard]] std::string name() const override { return policy_->name(); }
    int chunked = 0;

   private:
    VirtualClock& clock_;
    std::unique_ptr<control::Policy> policy_;
  };
  Slow policy(session.clock, control::make_policy("gelato:modes=0").value());
  const auto stats = session.write(policy, 900);
  ASSERT_TRUE(stats.has_value()) << stats.error().message;
  EXPECT_EQ(session.sink.tokens(), target_text(900));
  EXPECT_GT(policy.chunked, 10);
}

// An edge that adds a token to a chunk that stands, withholds one, or drops what is not stale.
TEST_F(PipelineTest, AnEdgeThatBreaksTheRulesOfChunksIsNotBelieved) {
  const auto error = [&](auto rewrite) {
    ToySession session(target_, target_, WireMode::kIds);
    session.edge.rewrite = rewrite;
    ChunkPolicy policy(session.clock, 3);
    const auto stats = session.write(policy, kTokens);
    EXPECT_FALSE(stats.has_value());
    return stats ? std::string() : stats.error().message;
  };
  EXPECT_THAT(error([](proto::EdgeMessage& message) {
                auto* verdict = std::get_if<proto::Verdict>(&message);
                if (verdict != nullptr && !verdict->next) {
                  verdict->next = 0;
                }
              }),
              HasSubstr("added a token to a chunk"));
  EXPECT_THAT(error([](proto::EdgeMessage& message) {
                auto* verdict = std::get_if<proto::Verdict>(&message);
                if (verdict != nullptr) {
                  verdict->next.reset();
                }
              }),
              HasSubstr("without the token that follows"));
  EXPECT_THAT(error([](proto::EdgeMessage& message) {
                if (const auto* verdict = std::get_if<proto::Verdict>(&message)) {
                  message = proto::Stale{.number = verdict->number};
                }
              }),
              HasSubstr("stale, which is not"));
}

}  // namespace
}  // namespace gelato::device
