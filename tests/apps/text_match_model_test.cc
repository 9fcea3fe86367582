#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "gelato/engine/backend.h"
#include "gelato/engine/model_verifier.h"
#include "gelato/text_match.h"
#include "tests/support/tiny_gguf.h"

namespace gelato::cli {
namespace {

class TextMatchTest : public ::testing::Test {
 protected:
  // How texts 1 2 3 and 1 2 4 after a prompt compare for a model with logits of this scale.
  TextMatch match(double logit_scale, std::vector<spec::Token> other) {
    const testing::TinyGgufFile file({.logit_scale = logit_scale});
    const auto backend = engine::Backend::create(log_);
    EXPECT_TRUE(backend);
    const auto model = engine::LanguageModel::load(**backend, file.path());
    EXPECT_TRUE(model);
    const auto result = match_greedy(**model, prompt_, alone_, other);
    EXPECT_TRUE(result);
    return result.value_or(TextMatch{});
  }

  NullLog log_;
  std::vector<spec::Token> prompt_ = {1, 270};
  std::vector<spec::Token> alone_ = {280, 281, 282};
};

TEST_F(TextMatchTest, EqualTextsAreIdentical) {
  EXPECT_EQ(match(2.0, alone_).agreement, Agreement::kIdentical);
}

TEST_F(TextMatchTest, ADifferenceBetweenEqualLogitsIsATie) {
  const TextMatch found = match(0.0, {280, 281, 290});
  EXPECT_EQ(found.agreement, Agreement::kNearTie);
  EXPECT_EQ(found.position, 2U);
  EXPECT_EQ(found.logit_gap, 0.0F);
}

TEST_F(TextMatchTest, ADifferenceBetweenClearLogitsIsAnError) {
  const TextMatch found = match(1000.0, {290, 281, 282});
  EXPECT_EQ(found.agreement, Agreement::kDifferent);
  EXPECT_EQ(found.position, 0U);
  EXPECT_GE(found.logit_gap, engine::kLogitTolerance);
}

TEST_F(TextMatchTest, AMissingEndIsADifference) {
  const TextMatch found = match(1000.0, {280, 281});
  EXPECT_EQ(found.agreement, Agreement::kDifferent);
  EXPECT_EQ(found.position, 2U);
}

}  // namespace
}  // namespace gelato::cli
