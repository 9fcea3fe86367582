// The engine on the bundled models and on generated tiny ones.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "gelato/base/log.h"
#include "gelato/engine/backend.h"
#include "gelato/engine/context.h"
#include "gelato/engine/language_model.h"
#include "gelato/engine/model_verifier.h"
#include "gelato/engine/row_stats.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_gguf.h"

namespace gelato::engine {
namespace {

using spec::Token;
using ::testing::HasSubstr;

const std::string kTarget = "assets/models/gelato-tale-6m-q8_0.gguf";

class Engine : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto backend = Backend::create(log());
    ASSERT_TRUE(backend.has_value()) << backend.error().message;
    backend_ = backend->release();
  }
  static void TearDownTestSuite() {
    delete backend_;
    backend_ = nullptr;
  }
  static Log& log() {
    static NullLog null;
    return null;
  }
  static std::unique_ptr<LanguageModel> load(const std::string& path) {
    auto model = LanguageModel::load(*backend_, path);
    EXPECT_TRUE(model.has_value()) << model.error().message;
    return std::move(*model);
  }
  std::unique_ptr<LanguageModel> load_tiny(const gelato::testing::TinyGguf& options) {
    const auto path = dir_.path() / "tiny.gguf";
    const auto written = gelato::testing::write_tiny_gguf(options, path);
    EXPECT_TRUE(written.has_value()) << written.error().message;
    return load(path);
  }
  static std::unique_ptr<Context> context(const LanguageModel& model,
                                          const ContextOptions& options = {}) {
    auto made = Context::create(model, options);
    EXPECT_TRUE(made.has_value()) << made.error().message;
    return std::move(*made);
  }
  static std::vector<Token> tokens(const LanguageModel& model, const std::string& text) {
    return model.tokenize(text, true, false).value();
  }
  static std::vector<float> row(Context& context, std::size_t append, std::uint32_t index) {
    const auto logits = context.logits(append, index);
    EXPECT_TRUE(logits.has_value());
    return {logits->begin(), logits->end()};
  }

  static Backend* backend_;
  gelato::testing::TempDir dir_;
};
Backend* Engine::backend_ = nullptr;

float largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  float largest = 0.0F;
  for (std::size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::abs(a[i] - b.at(i)));
  }
  return largest;
}

TEST_F(Engine, DescribesTheModelItLoaded) {
  const auto model = load(kTarget);
  EXPECT_EQ(model->info().architecture, "llama");
  EXPECT_EQ(model->info().vocabulary_size, 4096);
  EXPECT_EQ(model->info().context_length, 1024U);
  EXPECT_EQ(model->info().layers, 6U);
  EXPECT_TRUE(model->info().can_truncate);
  EXPECT_EQ(model->vocabulary().texts.size(), 4096U);
  EXPECT_FALSE(model->vocabulary().end_of_generation.empty());
  EXPECT_TRUE(model->is_end_of_generation(model->vocabulary().eos));
  EXPECT_FALSE(model->is_end_of_generation(300));
}

TEST_F(Engine, ProgressCanCancelTheLoad) {
  ModelOptions options;
  options.progress = [](float) { return false; };
  const auto model = LanguageModel::load(*backend_, kTarget, options);
  ASSERT_FALSE(model.has_value());
  EXPECT_EQ(model.error().code, ErrorCode::kCancelled);
}

TEST_F(Engine, TextSurvivesTokenisationAndBack) {
  const auto model = load(kTarget);
  for (const std::string text :
       {"Once upon a time", "caf\xC3\xA9 \xF0\x9F\x8D\xA8!", "two  spaces"}) {
    Detokenizer detokenizer(*model);
    std::string out;
    for (const Token token : tokens(*model, text)) {
      detokenizer.push(token, out);
      EXPECT_EQ(out.find("\xEF\xBF\xBD"), std::string::npos);
    }
    detokenizer.finish(out);
    // SentencePiece puts a space before the first word.
    EXPECT_EQ(out.substr(out.find_first_not_of(' ')), text);
  }
}

TEST_F(Engine, DetokenizerHoldsUnfinishedCharactersBack) {
  const auto model = load(kTarget);
  const auto ids = model->tokenize("\xF0\x9F\x8D\xA8", false, false).value();
  ASSERT_GE(ids.size(), 4U) << "the character should need byte tokens";
  Detokenizer detokenizer(*model);
  std::string out;
  for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
    detokenizer.push(ids[i], out);
  }
  EXPECT_THAT(out, ::testing::AnyOf("", " "));
  std::string cut = out;
  detokenizer.finish(cut);  // the text ended in the middle of the character
  EXPECT_THAT(cut, HasSubstr("\xEF\xBF\xBD"));
  detokenizer.push(999999, out);  // no such token: no text
  EXPECT_THAT(out, ::testing::AnyOf("", " "));
}

TEST_F(Engine, TokenizeRefusesWhatIsNotText) {
  const auto model = load(kTarget);
  const auto bad = model->tokenize("abc\xFF", true, false);
  ASSERT_FALSE(bad.has_value());
  EXPECT_THAT(bad.error().message, HasSubstr("offset 3"));
  EXPECT_FALSE(model->tokenize("", false, false).has_value());
  EXPECT_EQ(model->tokenize(std::string(kMaxTextBytes + 1, 'a'), true, false).error().code,
            ErrorCode::kLimitExceeded);
}

TEST_F(Engine, RowsDoNotDependOnHowTheTextWasCutIntoBatches) {
  const auto model = load(kTarget);
  const auto text = tokens(*model, "Once upon a time there was a little dog who liked to run.");
  auto whole = context(*model);
  auto pieces = context(*model);
  Sequence a(*whole, 0);
  Sequence b(*pieces, 0);
  ASSERT_TRUE(a.append(text, 3).has_value());
  for (const Token& token : text) {
    ASSERT_TRUE(b.append({&token, 1}, 1).has_value());
  }
  EXPECT_LT(largest_difference(row(*whole, 0, 2), row(*pieces, 0, 0)), kLogitTolerance);
  EXPECT_EQ(a.length(), text.size());
}

TEST_F(Engine, TruncatingGivesTheStateOfTheShorterText) {
  const auto model = load(kTarget);
  const auto text = tokens(*model, "Tom and Mia went to the beach with a red ball");
  auto fresh = context(*model);
  auto reused = context(*model);
  Sequence a(*fresh, 0);
  Sequence b(*reused, 0);
  const auto half = std::span(text).first(6);
  ASSERT_TRUE(a.append(half, 1).has_value());
  ASSERT_TRUE(b.append(text, 1).has_value());
  ASSERT_TRUE(b.truncate(5).has_value());
  EXPECT_EQ(b.length(), 5U);
  ASSERT_TRUE(b.append(half.subspan(5), 1).has_value());
  EXPECT_LT(largest_difference(row(*fresh, 0, 0), row(*reused, 0, 0)), kLogitTolerance);
}

TEST_F(Engine, SequencesInOneBatchDoNotSeeEachOther) {
  const auto model = load(kTarget);
  const auto one = tokens(*model, "The bird sang");
  const auto two = tokens(*model, "Question: what is 3 + 4?");
  auto shared = context(*model, {.sequences = 3, .max_rows = 8, .pool = {}});
  const std::vector<Context::Append> both = {{2, one, 2}, {0, two, 1}};
  ASSERT_TRUE(shared->decode(both).has_value());
  EXPECT_EQ(shared->length(0), two.size());
  EXPECT_EQ(shared->length(1), 0U);
  EXPECT_EQ(shared->length(2), one.size());
  for (const auto& [text, append, index] : {std::tuple{one, 0, 1}, std::tuple{two, 1, 0}}) {
    auto alone = context(*model);
    Sequence sequence(*alone, 0);
    ASSERT_TRUE(sequence.append(text, 1).has_value());
    EXPECT_LT(largest_difference(
                  row(*shared, static_cast<std::size_t>(append), static_cast<std::uint32_t>(index)),
                  row(*alone, 0, 0)),
              kLogitTolerance);
  }
}

TEST_F(Engine, LongAppendsAreSplitAndKeepTheirRows) {
  const auto model = load(kTarget);
  const auto text = tokens(*model, std::string(300, 'a') + " the little dog ran home");
  auto small = context(*model, {.batch_tokens = 16, .max_rows = 5, .pool = {}});
  auto large = context(*model, {.pool = {}});
  Sequence a(*small, 0);
  Sequence b(*large, 0);
  ASSERT_GT(text.size(), 40U);
  ASSERT_TRUE(a.append(text, 5).has_value());
  ASSERT_TRUE(b.append(text, 5).has_value());
  for (std::uint32_t i = 0; i < 5; ++i) {
    EXPECT_LT(largest_difference(row(*small, 0, i), row(*large, 0, i)), kLogitTolerance) << i;
  }
}

TEST_F(Engine, EveryRefusedBatchLeavesTheSequenceAsItWas) {
  const auto model = load(kTarget);
  auto ctx = context(*model, {.tokens = 256, .sequences = 2, .max_rows = 4, .pool = {}});
  Sequence sequence(*ctx, 1);
  const std::vector<Token> some(10, 300);
  ASSERT_TRUE(sequence.append(some, 1).has_value());
  const std::vector<Token> outside = {5, 4096};
  const std::vector<Token> negative = {-1};
  const std::vector<Token> many(247, 300);
  EXPECT_EQ(sequence.append(outside, 1).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(sequence.append(negative, 1).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(sequence.append({}, 0).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(sequence.append(some, 5).error().code, ErrorCode::kLimitExceeded);
  EXPECT_EQ(sequence.append(some, 11).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(sequence.append(many, 1).error().code, ErrorCode::kLimitExceeded);
  EXPECT_EQ(ctx->decode(std::vector<Context::Append>{{2, some, 1}}).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_FALSE(ctx->logits(0, 3).has_value());
  EXPECT_FALSE(ctx->logits(7, 0).has_value());
  EXPECT_EQ(sequence.length(), 10U);
  EXPECT_TRUE(sequence.append(some, 1).has_value());
}

TEST_F(Engine, RefusesImpossibleContexts) {
  const auto model = load(kTarget);
  EXPECT_EQ(Context::create(*model, {.tokens = 1025, .pool = {}}).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_FALSE(Context::create(*model, {.sequences = 0, .pool = {}}).has_value());
  EXPECT_FALSE(Context::create(*model, {.sequences = 257, .pool = {}}).has_value());
  EXPECT_FALSE(Context::create(*model, {.threads = 0, .pool = {}}).has_value());
}

TEST_F(Engine, TwoContextsShareAPool) {
  const auto model = load(kTarget);
  const auto pool = ThreadPool::create(2).value();
  auto a = context(*model, {.threads = 2, .pool = pool});
  auto b = context(*model, {.threads = 2, .pool = pool});
  auto single = context(*model);
  const auto text = tokens(*model, "A shiny stone");
  std::vector<std::vector<float>> rows;
  for (Context* ctx : {a.get(), b.get(), single.get()}) {
    Sequence sequence(*ctx, 0);
    ASSERT_TRUE(sequence.append(text, 1).has_value());
    rows.push_back(row(*ctx, 0, 0));
  }
  EXPECT_LT(largest_difference(rows[0], rows[1]), kLogitTolerance);
  EXPECT_LT(largest_difference(rows[0], rows[2]), kLogitTolerance);
}

TEST_F(Engine, RecurrentAndHybridModelsSayThatTheyCannotBeCut) {
  for (const auto kind :
       {gelato::testing::TinyKind::kRecurrent, gelato::testing::TinyKind::kHybrid}) {
    const auto model = load_tiny({.kind = kind});
    EXPECT_FALSE(model->info().can_truncate);
    auto ctx = context(*model);
    Sequence sequence(*ctx, 0);
    const std::vector<Token> text(6, 270);
    ASSERT_TRUE(sequence.append(text, 1).has_value());
    const auto cut = sequence.truncate(3);
    ASSERT_FALSE(cut.has_value());
    EXPECT_EQ(cut.error().code, ErrorCode::kUnsupported);
    EXPECT_TRUE(sequence.truncate(0).has_value());  // forgetting everything is possible
  }
}

TEST_F(Engine, AppliesTheModelsChatTemplate) {
  const auto plain = load_tiny({});
  EXPECT_FALSE(plain->info().has_chat_template);
  EXPECT_EQ(plain->apply_chat_template("hi").error().code, ErrorCode::kUnsupported);
  const auto chatty = load_tiny(
      {.chat_template = "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + "
                        "message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}"});
  EXPECT_EQ(chatty->apply_chat_template("hi").value(),
            "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n");
  const auto strange = load_tiny({.chat_template = "no template at all"});
  EXPECT_EQ(strange->apply_chat_template("hi").error().code, ErrorCode::kUnsupported);
}

// How far a logit moves between a pass over one token and a pass over n: what kLogitTolerance
// bounds.
TEST_F(Engine, LogitsMoveLessThanTheToleranceAtAnyBatchShape) {
  const auto model = load(kTarget);
  std::vector<Token> text = tokens(*model, "Once upon a time there was a king");
  Rng rng(3, "text");
  while (text.size() < 300) {
    text.push_back(static_cast<Token>(300 + rng.below(3000)));
  }
  auto single = context(*model, {.pool = {}});
  Sequence one(*single, 0);
  std::vector<std::vector<float>> rows;
  for (const Token& token : text) {
    ASSERT_TRUE(one.append({&token, 1}, 1).has_value());
    rows.push_back(row(*single, 0, 0));
  }
  for (const std::uint32_t n : {2U, 5U, 9U, 17U, 32U, 64U, 65U}) {
    auto batched = context(*model, {.pool = {}});
    Sequence many(*batched, 0);
    float moved = 0.0F;
    for (std::size_t at = 0; at + n <= text.size(); at += n) {
      ASSERT_TRUE(many.append(std::span(text).subspan(at, n), n).has_value());
      for (std::uint32_t i = 0; i < n; ++i) {
        moved = std::max(moved, largest_difference(row(*batched, 0, i), rows[at + i]));
      }
    }
    RecordProperty("batch_" + std::to_string(n), std::to_string(moved));
    std::printf("passes over %u tokens move a logit by at most %.4f\n", n,
                static_cast<double>(moved));
    EXPECT_LT(moved, kLogitTolerance);
  }
}

}  // namespace
}  // namespace gelato::engine
