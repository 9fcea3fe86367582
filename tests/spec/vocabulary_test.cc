#include "gelato/spec/vocabulary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace gelato::spec {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

Vocabulary vocabulary(std::size_t padding = 0) {
  Vocabulary v{.type = "bpe",
               .texts = {"<s>", "</s>", "a", "b", "\xc4\xa0the"},
               .bos = 0,
               .eos = 1,
               .add_bos = true,
               .end_of_generation = {1}};
  for (std::size_t i = 0; i < padding; ++i) {
    v.texts.push_back("[PAD" + std::to_string(i) + "]");
  }
  return v;
}

TEST(MatchVocabularies, AcceptsEqualOnes) {
  const auto match = match_vocabularies(vocabulary(), vocabulary());
  ASSERT_TRUE(match);
  EXPECT_EQ(match->common, 5);
  EXPECT_THAT(match->note, IsEmpty());
}

// Qwen2.5: one tokenizer, but 151936 rows in the small models and 152064 in the large ones.
TEST(MatchVocabularies, TakesASmallDifferenceInSizeForPadding) {
  const auto target_padded = match_vocabularies(vocabulary(128), vocabulary());
  ASSERT_TRUE(target_padded);
  EXPECT_EQ(target_padded->common, 5);
  EXPECT_EQ(target_padded->note,
            "the target has 128 tokens more than the draft (padding); the first 5 agree, and only "
            "those are drafted");
  const auto draft_padded = match_vocabularies(vocabulary(), vocabulary(3));
  ASSERT_TRUE(draft_padded);
  EXPECT_EQ(draft_padded->common, 5);
  EXPECT_THAT(draft_padded->note, HasSubstr("the draft has 3 tokens more than the target"));
}

TEST(MatchVocabularies, NamesTheFirstDifference) {
  struct Difference {
    std::function<void(Vocabulary&)> make;  // in the draft
    const char* says;
  };
  const std::vector<Difference> table = {
      {[](Vocabulary& v) { v.type = "spm"; },
       "the target's tokenizer is of type \"bpe\", the draft's of type \"spm\""},
      {[](Vocabulary& v) { v = vocabulary(129); }, "the target has 5 tokens and the draft 134"},
      {[](Vocabulary& v) { v.bos = -1; },
       "the beginning of a text is token 0 for the target and none for the draft"},
      {[](Vocabulary& v) { v.eos = 2; },
       "the end of a text is token 1 for the target and token 2 for the draft"},
      {[](Vocabulary& v) { v.add_bos = false; }, "only the target wants a beginning-of-text token"},
      {[](Vocabulary& v) { v.texts[3] = "c"; },
       "token 3 is \"b\" for the target and \"c\" for the draft"},
      {[](Vocabulary& v) { v.texts[4] = std::string(100, 'x') + "\n"; },
       R"(token 4 is "\xc4\xa0the" for the target and "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...")"},
  };
  for (const Difference& difference : table) {
    Vocabulary draft = vocabulary();
    difference.make(draft);
    const auto match = match_vocabularies(vocabulary(), draft);
    ASSERT_FALSE(match) << difference.says;
    EXPECT_EQ(match.error().code, ErrorCode::kUnsupported);
    EXPECT_THAT(match.error().message, HasSubstr(difference.says));
    EXPECT_THAT(match.error().message, HasSubstr("use a draft model of the target's own family"));
    EXPECT_NE(fingerprint(vocabulary()), fingerprint(draft)) << difference.says;
  }
}

TEST(Fingerprint, IsEqualForEqualVocabulariesAndStable) {
  EXPECT_EQ(fingerprint(vocabulary()), fingerprint(vocabulary()));
  // Two builds of different age compare fingerprints, so the value itself is part of the contract.
  // This one was computed by another program.
  EXPECT_EQ(fingerprint(vocabulary()), 0xf01bde361f9bd9dULL);
}

TEST(Fingerprint, OfTheCommonTokensIgnoresPadding) {
  EXPECT_NE(fingerprint(vocabulary()), fingerprint(vocabulary(7)));
  EXPECT_EQ(fingerprint(vocabulary()), fingerprint(vocabulary(7), 5));
  EXPECT_EQ(fingerprint(vocabulary()), fingerprint(vocabulary(), 1000));
}

TEST(Fingerprint, TellsMovedTokenBordersApart) {
  Vocabulary a = vocabulary();
  Vocabulary b = vocabulary();
  a.texts = {"ab", "c"};
  b.texts = {"a", "bc"};
  EXPECT_NE(fingerprint(a), fingerprint(b));
}

}  // namespace
}  // namespace gelato::spec
