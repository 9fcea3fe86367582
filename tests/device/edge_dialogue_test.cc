// What the device says to an edge, and what it believes of the answers.
#include "gelato/device/edge_dialogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "gelato/base/rng.h"
#include "gelato/proto/row_code.h"
#include "gelato/spec/verify.h"

namespace gelato::device {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Tokens = std::vector<spec::Token>;

constexpr spec::Token kVocabulary = 8;
const Tokens kPrompt{1, 2, 3};

class EdgeDialogueTest : public ::testing::Test {
 protected:
  static EdgeTerms terms(proto::WireMode mode) {
    return {.n_vocab = kVocabulary,
            .common_vocab = kVocabulary,
            .mode = mode,
            .sampling = {.temperature = mode == proto::WireMode::kIds ? 0.0 : 1.0},
            .seed = 7,
            .rows = {}};
  }
  static spec::Draft draft(const Tokens& tokens) {
    spec::Draft out;
    for (const spec::Token token : tokens) {
      spec::SparseDist& row = out.push(token);
      row.storage() = {{token, 0.75}, {7, 0.25}};
    }
    return out;
  }
  static proto::Opened opened(std::uint32_t committed, std::uint8_t id = 1) {
    proto::Opened out{.committed = committed, .limits = {}, .timing = {}};
    out.session[0] = id;
    return out;
  }
  static proto::Verdict verdict(std::uint32_t number, std::uint32_t accepted,
                                std::optional<spec::Token> next) {
    return {.number = number, .accepted = accepted, .next = next, .row = {}, .timing = {}};
  }
  static proto::Tokens tokens(std::uint32_t number, const Tokens& what, proto::BurstEnd end) {
    return {.number = number, .tokens = what, .end = end, .timing = {}};
  }
  // A dialogue that has been opened on kPrompt.
  static EdgeDialogue begun(proto::WireMode mode) {
    EdgeDialogue dialogue(terms(mode));
    dialogue.start(kPrompt);
    EXPECT_EQ(dialogue.open().tokens, kPrompt);
    EXPECT_TRUE(dialogue.on_opened(opened(3)));
    return dialogue;
  }
};

TEST_F(EdgeDialogueTest, RequestsSayWhereTheyStand) {
  EdgeDialogue dialogue = begun(proto::WireMode::kIds);
  const auto first = draft({4, 5});
  EXPECT_EQ(dialogue.ask(first).place, (proto::Place{.after = 0, .base = 3, .drawn = {}}));
  EXPECT_EQ(dialogue.on_verdict(verdict(1, 1, 6), first).value(), (spec::Verdict{1, 6}));
  const auto none = draft({});
  EXPECT_EQ(dialogue.ask(none).place, (proto::Place{.after = 1, .base = 5, .drawn = {}}));
  EXPECT_TRUE(dialogue.on_verdict(verdict(2, 0, 2), none));
  EXPECT_EQ(dialogue.ask_burst(2).place, (proto::Place{.after = 2, .base = 6, .drawn = {}}));
  EXPECT_TRUE(dialogue.on_tokens(tokens(3, {7}, proto::BurstEnd::kGoesOn)));
  EXPECT_TRUE(dialogue.on_tokens(tokens(3, {1}, proto::BurstEnd::kComplete)));
  EXPECT_EQ(dialogue.ask(none).place, (proto::Place{.after = 3, .base = 8, .drawn = {}}));
  EXPECT_THAT(dialogue.text(), ElementsAre(1, 2, 3, 4, 6, 2, 7, 1));
}

TEST_F(EdgeDialogueTest, ANewStreamResumesWhatWasAnswered) {
  EdgeDialogue dialogue = begun(proto::WireMode::kIds);
  const auto first = draft({4, 5});
  (void)dialogue.ask(first);
  ASSERT_TRUE(dialogue.on_verdict(verdict(1, 2, 6), first));
  (void)dialogue.ask(first);  // its answer is lost
  const proto::Open again = dialogue.open();
  ASSERT_TRUE(again.resume.has_value());
  EXPECT_EQ(again.resume->session[0], 1);
  EXPECT_EQ(again.resume->count, 6U);
  EXPECT_EQ(again.resume->hash, proto::text_hash(Tokens{1, 2, 3, 4, 5, 6}));
  EXPECT_THAT(again.tokens, IsEmpty());
  ASSERT_TRUE(dialogue.on_opened(opened(6)));
  EXPECT_EQ(dialogue.ask(first).place, (proto::Place{.after = 0, .base = 6, .drawn = {}}));
}

TEST_F(EdgeDialogueTest, AForgottenSessionGetsTheWholeText) {
  EdgeDialogue dialogue = begun(proto::WireMode::kIds);
  const auto first = draft({4});
  (void)dialogue.ask(first);
  ASSERT_TRUE(dialogue.on_verdict(verdict(1, 1, 6), first));
  dialogue.forget_session();
  const proto::Open again = dialogue.open();
  EXPECT_FALSE(again.resume.has_value());
  EXPECT_THAT(again.tokens, ElementsAre(1, 2, 3, 4, 6));
}

TEST_F(EdgeDialogueTest, TokensOfTheDevicesOwnGoUpWithTheNextStream) {
  EdgeDialogue dialogue = begun(proto::WireMode::kIds);
  EXPECT_TRUE(dialogue.in_step());
  dialogue.append(Tokens{5, 6});
  EXPECT_FALSE(dialogue.in_step());
  proto::Open again = dialogue.open();
  EXPECT_TRUE(dialogue.in_step());
  EXPECT_EQ(again.resume->count, 3U);
  EXPECT_THAT(again.tokens, ElementsAre(5, 6));
  dialogue.append(Tokens{7});  // while that stream is being opened
  ASSERT_TRUE(dialogue.on_opened(opened(5)));
  EXPECT_FALSE(dialogue.in_step());
  again = dialogue.open();
  EXPECT_EQ(again.resume->count, 5U);
  EXPECT_THAT(again.tokens, ElementsAre(7));
  ASSERT_TRUE(dialogue.on_opened(opened(6)));
  EXPECT_TRUE(dialogue.in_step());
}

TEST_F(EdgeDialogueTest, TheNextTurnKeepsTheSessionAndAnotherTextDoesNot) {
  EdgeDialogue dialogue = begun(proto::WireMode::kIds);
  const auto first = draft({4});
  (void)dialogue.ask(first);
  ASSERT_TRUE(dialogue.on_verdict(verdict(1, 1, 6), first));
  dialogue.start(Tokens{1, 2, 3, 4, 0, 0});
  EXPECT_TRUE(dialogue.has_session());
  const proto::Open turn = dialogue.open();
  EXPECT_EQ(turn.resume->count, 4U);
  EXPECT_EQ(turn.resume->hash, proto::text_hash(Tokens{1, 2, 3, 4}));
  EXPECT_THAT(turn.tokens, ElementsAre(0, 0));
  dialogue.start(Tokens{5, 2, 3});
  EXPECT_FALSE(dialogue.has_session());
  EXPECT_FALSE(dialogue.open().resume.has_value());
}

// docs/protocol.md, "Uniforms": number 2 * base + accepted + 1 of stream "verify".
TEST_F(EdgeDialogueTest, InDssdTheDeviceDrawsWithTheNamedUniformAndNamesTheToken) {
  EdgeDialogue dialogue = begun(proto::WireMode::kDssd);
  const auto first = draft({4, 5});
  EXPECT_THAT(dialogue.ask(first).q, ElementsAre(0.75, 0.75));
  spec::SparseDist p;
  p.storage() = {{4, 0.25}, {5, 0.25}, {6, 0.5}};
  auto answer = verdict(1, 1, {});
  proto::encode_row(p, kVocabulary, answer.row);
  const spec::Token want = spec::sample_residual(
      p, first.rows()[1], Rng(7, stream_id("verify"), 2 * 3 + 1 + 1).uniform());
  EXPECT_EQ(dialogue.on_verdict(answer, first).value(), (spec::Verdict{1, want}));
  EXPECT_EQ(dialogue.ask(first).place, (proto::Place{.after = 1, .base = 5, .drawn = want}));
  // The request is lost: the edge knows one token less than the device.
  const proto::Open again = dialogue.open();
  EXPECT_EQ(again.resume->count, 4U);
  EXPECT_THAT(again.tokens, ElementsAre(want));
  ASSERT_TRUE(dialogue.on_opened(opened(5)));
  EXPECT_EQ(dialogue.ask(first).place, (proto::Place{.after = 0, .base = 5, .drawn = {}}));
}

TEST_F(EdgeDialogueTest, AnswersThatCannotBeAreRefusedAndChangeNothing) {
  spec::SparseDist p;
  p.storage() = {{4, 1.0}};
  for (const proto::WireMode mode : {proto::WireMode::kIds, proto::WireMode::kDssd}) {
    const auto first = draft({4, 5});
    auto row_after_all = verdict(1, 2, {});
    proto::encode_row(p, kVocabulary, row_after_all.row);
    auto bad_row = verdict(1, 0, {});
    bad_row.row = {1, 2, 3};
    for (const auto& answer : {verdict(2, 0, 1), verdict(0, 0, 1), verdict(1, 3, 1),
                               verdict(1, 1, {}), verdict(1, 2, {}), row_after_all, bad_row}) {
      EdgeDialogue dialogue = begun(mode);
      (void)dialogue.ask(first);
      const auto got = dialogue.on_verdict(answer, first);
      ASSERT_FALSE(got.has_value());
      EXPECT_EQ(got.error().code, ErrorCode::kCorrupt);
      EXPECT_THAT(got.error().message, HasSubstr("the edge"));
      EXPECT_THAT(dialogue.text(), ElementsAre(1, 2, 3));
    }
  }
  EdgeDialogue dialogue = begun(proto::WireMode::kIds);
  const auto none = draft({});
  (void)dialogue.ask(none);
  ASSERT_TRUE(dialogue.on_verdict(verdict(1, 0, 1), none));
  EXPECT_FALSE(dialogue.on_verdict(verdict(1, 0, 1), none)) << "answered twice";
  (void)dialogue.ask_burst(2);
  EXPECT_FALSE(dialogue.on_tokens(tokens(3, {1}, proto::BurstEnd::kGoesOn)));
  EXPECT_FALSE(dialogue.on_tokens(tokens(2, {1, 2, 3}, proto::BurstEnd::kComplete)));
  EXPECT_TRUE(dialogue.on_tokens(tokens(2, {1, 2}, proto::BurstEnd::kGoesOn)));
  EXPECT_FALSE(dialogue.on_tokens(tokens(2, {1}, proto::BurstEnd::kComplete))) << "one too many";
  (void)dialogue.open();
  EXPECT_FALSE(dialogue.on_opened(opened(3)));
}

}  // namespace
}  // namespace gelato::device
