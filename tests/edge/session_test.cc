#include "gelato/edge/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gelato/proto/row_code.h"

namespace gelato::edge {
namespace {

using proto::ErrorKind;
using ::testing::ElementsAre;
using Work = Session::Work;

constexpr spec::Token kVocab = 8;

proto::Draft draft(std::uint32_t after, std::uint32_t base, const std::vector<spec::Token>& tokens,
                   bool no_bonus = false) {
  proto::Draft out;
  out.place = {.after = after, .base = base, .drawn = {}};
  for (const spec::Token token : tokens) {
    out.draft.push(token);
    out.q.push_back(0.5);
  }
  out.no_bonus = no_bonus;
  return out;
}

proto::Burst burst(std::uint32_t after, std::uint32_t base, std::uint32_t count,
                   std::uint32_t chunk = 0) {
  return {.place = {.after = after, .base = base, .drawn = {}}, .count = count, .chunk = chunk};
}

class SessionRules : public ::testing::Test {
 protected:
  static Law law() { return {.mode = proto::WireMode::kDssd, .sampler = {}, .seed = 1}; }

  template <class Request>
  void receive(Request request) {
    const auto ok = session_.receive(std::move(request));
    ASSERT_TRUE(ok.has_value()) << ok.error().message;
  }
  // What next() gives, with the numbers of the requests that it found stale.
  Work next() {
    answers_.clear();
    const auto work = session_.next(answers_);
    EXPECT_TRUE(work.has_value()) << work.error().message;
    stale_.clear();
    for (const auto& answer : answers_) {
      stale_.push_back(std::get<proto::Stale>(answer).number);
    }
    return work.value_or(Work::kNone);
  }
  proto::WireError refusal() {
    answers_.clear();
    const auto work = session_.next(answers_);
    EXPECT_FALSE(work.has_value());
    return work ? proto::WireError{ErrorKind::kUnspecified, "", {}} : work.error();
  }
  // The draft is accepted up to `accepted`, then comes `token`.
  proto::Verdict decide(std::uint32_t accepted, std::optional<spec::Token> token) {
    EXPECT_EQ(next(), Work::kDraft);
    return session_.decided({.accepted = accepted, .next = token, .row = {}});
  }
  [[nodiscard]] std::vector<spec::Token> text() const {
    return {session_.text().begin(), session_.text().end()};
  }

  Session session_{law(), kVocab, 16, {1, 2}};
  std::vector<proto::EdgeMessage> answers_;
  std::vector<std::uint32_t> stale_;
};

TEST_F(SessionRules, CommitsWhatIsDecided) {
  EXPECT_EQ(next(), Work::kNone);
  receive(draft(0, 2, {3, 4, 5}));
  auto verdict = decide(2, 7);
  EXPECT_EQ(verdict.number, 1U);
  EXPECT_EQ(verdict.accepted, 2U);
  EXPECT_THAT(text(), ElementsAre(1, 2, 3, 4, 7));
  receive(draft(1, 5, {}));
  verdict = decide(0, 6);
  EXPECT_EQ(verdict.number, 2U);
  EXPECT_THAT(text(), ElementsAre(1, 2, 3, 4, 7, 6));
  EXPECT_EQ(session_.drafted(), 3U);
  EXPECT_EQ(session_.accepted(), 2U);
  EXPECT_EQ(next(), Work::kNone);
}

TEST_F(SessionRules, AWholeChunkWithoutBonusKeepsTheNextOneGood) {
  receive(draft(0, 2, {3, 4}, true));
  receive(draft(0, 4, {5}, true));
  receive(draft(0, 5, {6}));
  EXPECT_EQ(decide(2, std::nullopt).number, 1U);
  EXPECT_EQ(decide(1, std::nullopt).number, 2U);
  EXPECT_EQ(decide(1, 7).number, 3U);
  EXPECT_THAT(text(), ElementsAre(1, 2, 3, 4, 5, 6, 7));
}

// The case that a base alone cannot tell: after the rejection of chunk 1 the text is as long as
// chunk 2 assumed, with another token.
TEST_F(SessionRules, ARejectionMakesWhatIsInFlightStaleEvenWhereTheLengthsCoincide) {
  receive(draft(0, 2, {3}, true));
  receive(draft(0, 3, {4}, true));
  receive(draft(0, 4, {5}, true));
  decide(0, 6);
  EXPECT_EQ(session_.text().size(), 3U);  // as long as chunk 2 assumed
  EXPECT_EQ(next(), Work::kNone);
  EXPECT_THAT(stale_, ElementsAre(2U, 3U));
  EXPECT_THAT(text(), ElementsAre(1, 2, 6));
  // Written after the rejection was read, and before the answers of 2 and 3 were.
  receive(draft(1, 3, {7}));
  decide(1, 0);
  EXPECT_THAT(text(), ElementsAre(1, 2, 6, 7, 0));
  EXPECT_EQ(session_.stale(), 2U);
}

TEST_F(SessionRules, ABonusMakesWhatIsInFlightStale) {
  receive(draft(0, 2, {3}));
  receive(draft(0, 3, {4}));
  decide(1, 5);
  EXPECT_EQ(next(), Work::kNone);
  EXPECT_THAT(stale_, ElementsAre(2U));
}

TEST_F(SessionRules, ABreakIsRememberedWhileStaleRequestsKeepComing) {
  receive(draft(0, 2, {3}, true));
  decide(0, 6);
  for (std::uint32_t i = 0; i < 5; ++i) {  // still in ignorance
    receive(draft(0, 3 + i, {4}, true));
    EXPECT_EQ(next(), Work::kNone);
    EXPECT_THAT(stale_, ElementsAre(2 + i));
  }
  receive(draft(4, 3, {4}, true));
  EXPECT_EQ(next(), Work::kDraft);
}

TEST_F(SessionRules, AnAnswerMayNotBeForgottenOrForeseen) {
  receive(draft(0, 2, {3}));
  decide(1, 4);
  receive(draft(1, 4, {5}));
  EXPECT_EQ(session_.receive(draft(0, 4, {5})).error().kind, ErrorKind::kPosition);
  EXPECT_EQ(session_.receive(draft(2, 4, {5})).error().kind, ErrorKind::kPosition);  // unanswered
}

TEST_F(SessionRules, AnotherPlaceOfTheTextIsAnError) {
  for (const std::uint32_t base : {0U, 1U, 3U, 4'000'000'000U}) {
    Session session(law(), kVocab, 16, {1, 2});
    ASSERT_TRUE(session.receive(draft(0, base, {3})).has_value());
    const auto work = session.next(answers_);
    ASSERT_FALSE(work.has_value()) << base;
    EXPECT_EQ(work.error().kind, ErrorKind::kPosition);
  }
}

TEST_F(SessionRules, RequestsInFlightAreLimited) {
  for (std::uint32_t i = 0; i < proto::kMaxInFlight; ++i) {
    receive(draft(0, 2 + i, {3}, true));
  }
  EXPECT_EQ(session_.receive(draft(0, 18, {3}, true)).error().kind, ErrorKind::kTooMany);
}

TEST_F(SessionRules, TheContextIsNotOutgrown) {
  receive(draft(0, 2, std::vector<spec::Token>(13, 3)));  // 2 + 13 + a bonus = 16: fits
  decide(13, 4);
  EXPECT_EQ(session_.text().size(), 16U);
  receive(draft(1, 16, {}));
  EXPECT_EQ(refusal().kind, ErrorKind::kContextFull);

  Session session(law(), kVocab, 16, {1, 2});
  ASSERT_TRUE(session.receive(draft(0, 2, std::vector<spec::Token>(14, 3))).has_value());
  EXPECT_EQ(session.next(answers_).error().kind, ErrorKind::kContextFull);
  Session chunk(law(), kVocab, 16, {1, 2});
  ASSERT_TRUE(chunk.receive(draft(0, 2, std::vector<spec::Token>(14, 3), true)).has_value());
  EXPECT_TRUE(chunk.next(answers_).has_value());  // without a bonus it fits
}

TEST_F(SessionRules, ABurstIsAnsweredInChunks) {
  receive(burst(0, 2, 5, 2));
  ASSERT_EQ(next(), Work::kBurst);
  EXPECT_TRUE(session_.in_burst());
  EXPECT_FALSE(session_.wrote(3, false).has_value());
  auto tokens = session_.wrote(4, false);
  ASSERT_TRUE(tokens.has_value());
  EXPECT_THAT(tokens->tokens, ElementsAre(3, 4));
  EXPECT_EQ(tokens->end, proto::BurstEnd::kGoesOn);
  EXPECT_FALSE(session_.wrote(5, false).has_value());
  EXPECT_TRUE(session_.wrote(6, false).has_value());
  ASSERT_EQ(next(), Work::kBurst);
  tokens = session_.wrote(7, false);
  ASSERT_TRUE(tokens.has_value());
  EXPECT_EQ(tokens->number, 1U);
  EXPECT_THAT(tokens->tokens, ElementsAre(7));
  EXPECT_EQ(tokens->end, proto::BurstEnd::kComplete);
  EXPECT_EQ(next(), Work::kNone);
  EXPECT_THAT(text(), ElementsAre(1, 2, 3, 4, 5, 6, 7));
}

TEST_F(SessionRules, ABurstEndsWithTheTextOrTheContext) {
  receive(burst(0, 2, 5));
  next();
  auto tokens = session_.wrote(3, true);
  ASSERT_TRUE(tokens.has_value());
  EXPECT_EQ(tokens->end, proto::BurstEnd::kEndOfText);
  receive(burst(1, 3, 50));
  next();
  for (int i = 0; i < 12; ++i) {
    EXPECT_FALSE(session_.wrote(4, false).has_value());
  }
  tokens = session_.wrote(4, false);
  ASSERT_TRUE(tokens.has_value());
  EXPECT_EQ(tokens->end, proto::BurstEnd::kContextFull);
  EXPECT_EQ(tokens->tokens.size(), 13U);
  receive(burst(2, 16, 1));
  EXPECT_EQ(refusal().kind, ErrorKind::kContextFull);
}

TEST_F(SessionRules, ABurstMakesWhatFollowsInFlightStale) {
  receive(burst(0, 2, 1));
  receive(draft(0, 3, {4}));
  next();
  session_.wrote(3, false);
  EXPECT_EQ(next(), Work::kNone);
  EXPECT_THAT(stale_, ElementsAre(2U));
}

TEST_F(SessionRules, CancelDropsWhatWaitsAndWhatIsWrittenBeforeTheDeviceKnows) {
  receive(draft(0, 2, {3}, true));
  receive(draft(0, 3, {4}, true));
  answers_.clear();
  session_.cancel(answers_);
  EXPECT_TRUE(answers_.empty());
  EXPECT_EQ(next(), Work::kNone);
  EXPECT_THAT(stale_, ElementsAre(1U, 2U));
  EXPECT_THAT(text(), ElementsAre(1, 2));
  receive(draft(1, 2, {5}, true));  // had read the answer to 1 only: 2 might have been decided
  EXPECT_EQ(next(), Work::kNone);
  EXPECT_THAT(stale_, ElementsAre(3U));
  receive(draft(2, 2, {5}, true));
  EXPECT_EQ(next(), Work::kDraft);
}

TEST_F(SessionRules, CancelLetsADraftInItsTurnBeDecidedAndEndsABurst) {
  receive(draft(0, 2, {3}, true));
  receive(draft(0, 3, {4}, true));
  EXPECT_EQ(next(), Work::kDraft);
  answers_.clear();
  session_.cancel(answers_);
  EXPECT_EQ(decide(1, std::nullopt).number, 1U);
  EXPECT_EQ(next(), Work::kNone);
  EXPECT_THAT(stale_, ElementsAre(2U));

  receive(burst(2, 3, 10));
  ASSERT_EQ(next(), Work::kBurst);
  EXPECT_FALSE(session_.wrote(5, false).has_value());
  answers_.clear();
  session_.cancel(answers_);
  ASSERT_EQ(answers_.size(), 1U);
  const auto& tokens = std::get<proto::Tokens>(answers_[0]);
  EXPECT_EQ(tokens.end, proto::BurstEnd::kCancelled);
  EXPECT_THAT(tokens.tokens, ElementsAre(5));
  EXPECT_THAT(text(), ElementsAre(1, 2, 3, 5));
  EXPECT_EQ(next(), Work::kNone);
}

class Drawing : public SessionRules {
 protected:
  // A draft of two is rejected at the second token; the row has tokens 4 and 6.
  void reject() {
    receive(draft(0, 2, {3, 5}));
    ASSERT_EQ(next(), Work::kDraft);
    spec::SparseDist row;
    row.storage() = {{4, 0.5}, {6, 0.5}};
    Decision decision{.accepted = 1, .next = {}, .row = {}};
    proto::encode_row(row, kVocab, decision.row);
    const auto verdict = session_.decided(decision);
    EXPECT_EQ(verdict.next, std::nullopt);
    EXPECT_FALSE(verdict.row.empty());
  }
  static proto::Draft after_drawing(std::uint32_t base, std::optional<spec::Token> drawn) {
    proto::Draft out = draft(1, base, {7});
    out.place.drawn = drawn;
    return out;
  }
};

TEST_F(Drawing, TheDrawnTokenIsCommittedWithTheNextRequest) {
  reject();
  EXPECT_THAT(text(), ElementsAre(1, 2, 3));
  receive(after_drawing(4, 6));
  decide(1, 0);
  EXPECT_THAT(text(), ElementsAre(1, 2, 3, 6, 7, 0));
}

TEST_F(Drawing, StaleRequestsDoNotOweIt) {
  reject();
  receive(draft(0, 4, {1}));  // in ignorance: stale, and without a drawn token
  receive(after_drawing(4, 4));
  decide(1, 0);
  EXPECT_THAT(text(), ElementsAre(1, 2, 3, 4, 7, 0));
}

TEST_F(Drawing, ABurstNamesItToo) {
  reject();
  proto::Burst request = burst(1, 4, 1);
  request.place.drawn = 6;
  receive(request);
  ASSERT_EQ(next(), Work::kBurst);
  session_.wrote(0, false);
  EXPECT_THAT(text(), ElementsAre(1, 2, 3, 6, 0));
}

TEST_F(Drawing, AMissingOneIsAnError) {
  reject();
  receive(after_drawing(4, std::nullopt));
  EXPECT_EQ(refusal().kind, ErrorKind::kUnexpected);
}

TEST_F(Drawing, ATokenThatTheRowDoesNotHaveIsAnError) {
  reject();
  receive(after_drawing(4, 5));
  EXPECT_EQ(refusal().kind, ErrorKind::kRow);
}

TEST_F(Drawing, AnUnaskedOneIsAnError) {
  proto::Draft unasked = draft(0, 3, {7});
  unasked.place.drawn = 6;
  receive(std::move(unasked));
  EXPECT_EQ(refusal().kind, ErrorKind::kUnexpected);
}

TEST_F(Drawing, TheBaseCountsIt) {
  reject();
  receive(after_drawing(3, 6));
  EXPECT_EQ(refusal().kind, ErrorKind::kPosition);
}

}  // namespace
}  // namespace gelato::edge
