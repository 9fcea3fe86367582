// Sequences that share the beginning of a text in one cache compute what they would alone.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "gelato/base/log.h"
#include "gelato/engine/backend.h"
#include "gelato/engine/context.h"
#include "gelato/engine/model_verifier.h"

namespace gelato::engine {
namespace {

class SharedPrefix : public ::testing::Test {
 protected:
  SharedPrefix() {
    backend_ = std::move(*Backend::create(log_));
    model_ = std::move(*LanguageModel::load(*backend_, "assets/models/gelato-tale-6m-q8_0.gguf"));
    text_ = *model_->tokenize("Once upon a time, Lily found a red ball in the park. She was happy",
                              true, false);
  }
  std::unique_ptr<Context> context(std::uint32_t tokens, std::uint32_t sequences) {
    auto made = Context::create(*model_, {.tokens = tokens, .sequences = sequences, .pool = {}});
    EXPECT_TRUE(made.has_value()) << made.error().message;
    return std::move(*made);
  }
  static std::vector<float> after(Context& context, std::uint32_t sequence,
                                  std::span<const spec::Token> tokens) {
    const Context::Append append{sequence, tokens, 1};
    EXPECT_TRUE(context.decode({&append, 1}).has_value());
    const auto row = *context.logits(0, 0);
    return {row.begin(), row.end()};
  }
  static void expect_near(const std::vector<float>& a, const std::vector<float>& b) {
    for (std::size_t i = 0; i < a.size(); ++i) {
      ASSERT_NEAR(a[i], b[i], kLogitTolerance);
    }
  }

  NullLog log_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<LanguageModel> model_;
  std::vector<spec::Token> text_;
};

TEST_F(SharedPrefix, ComputesTheSameRows) {
  const auto shared = context(256, 3);
  const auto n = static_cast<std::uint32_t>(text_.size());
  const std::vector<spec::Token> one = {100, 200, 300};
  const std::vector<spec::Token> two = {400, 500};
  after(*shared, 0, text_);
  ASSERT_TRUE(shared->copy_prefix(0, 1, n).has_value());
  ASSERT_TRUE(shared->copy_prefix(0, 2, n - 4).has_value());
  EXPECT_EQ(shared->free_cells(), 256 - n);
  EXPECT_EQ(shared->length(1), n);

  const auto alone = [&](std::uint32_t length, const std::vector<spec::Token>& rest) {
    std::vector<spec::Token> whole(text_.begin(), text_.begin() + length);
    whole.insert(whole.end(), rest.begin(), rest.end());
    return after(*context(256, 1), 0, whole);
  };
  expect_near(after(*shared, 1, one), alone(n, one));
  expect_near(after(*shared, 2, two), alone(n - 4, two));
  // The first goes: the others keep what they share.
  ASSERT_TRUE(shared->truncate(0, 0).has_value());
  EXPECT_EQ(shared->free_cells(), 256 - n - 5);
  ASSERT_TRUE(shared->truncate(1, n).has_value());
  expect_near(after(*shared, 1, two), alone(n, two));
}

TEST_F(SharedPrefix, FillsTheCacheExactly) {
  const auto shared = context(256, 4);
  const std::vector<spec::Token> half(128, 100);
  const std::vector<spec::Token> quarter(64, 200);
  after(*shared, 0, half);
  for (std::uint32_t to = 1; to < 4; ++to) {
    ASSERT_TRUE(shared->copy_prefix(0, to, 128).has_value());
  }
  after(*shared, 1, quarter);
  after(*shared, 2, quarter);
  EXPECT_EQ(shared->free_cells(), 0U);
  const spec::Token token = 300;
  const Context::Append more{3, {&token, 1}, 1};
  EXPECT_EQ(shared->decode({&more, 1}).error().code, ErrorCode::kLimitExceeded);
  ASSERT_TRUE(shared->truncate(2, 0).has_value());
  EXPECT_TRUE(shared->decode({&more, 1}).has_value());
}

TEST_F(SharedPrefix, RefusesWhatCannotBe) {
  const auto shared = context(256, 3);
  after(*shared, 0, text_);
  const auto code = [&](std::uint32_t from, std::uint32_t to, std::uint32_t length) {
    return shared->copy_prefix(from, to, length).error().code;
  };
  EXPECT_EQ(code(0, 0, 1), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(0, 3, 1), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(3, 0, 1), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(0, 1, 1000), ErrorCode::kInvalidArgument);
  ASSERT_TRUE(shared->copy_prefix(0, 1, 2).has_value());
  EXPECT_EQ(code(0, 1, 2), ErrorCode::kInvalidArgument);  // not empty
}

TEST_F(SharedPrefix, SeveralSequencesMayHoldMoreThanOneTextCan) {
  EXPECT_EQ(context(4096, 4)->capacity(), 4096U);  // 4 times the model's 1024
  EXPECT_EQ(Context::create(*model_, {.tokens = 4097, .sequences = 4, .pool = {}}).error().code,
            ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace gelato::engine
