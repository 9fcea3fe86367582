// Every kind of tiny model loads in llama.cpp, has the vocabulary that was asked for, and decodes.
#include "tests/support/tiny_gguf.h"

#include <dlfcn.h>
#include <ggml-backend.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <llama.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

namespace gelato::testing {
namespace {

struct FreeModel {
  void operator()(llama_model* model) const { llama_model_free(model); }
};
struct FreeContext {
  void operator()(llama_context* context) const { llama_free(context); }
};

// The compute backends lie beside the library that loads them.
void load_backends() {
  Dl_info info{};
  ASSERT_NE(dladdr(reinterpret_cast<void*>(&ggml_backend_load_all_from_path), &info), 0);
  const auto folder = std::filesystem::path(info.dli_fname).parent_path();
  ggml_backend_load_all_from_path(folder.c_str());
}

class TinyGgufTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
    load_backends();
  }

  void load(const TinyGguf& options) {
    const TinyGgufFile file(options);
    const llama_model_params model = llama_model_default_params();
    model_.reset(llama_model_load_from_file(file.path().c_str(), model));
    ASSERT_NE(model_, nullptr);
    llama_context_params context = llama_context_default_params();
    context.n_ctx = 64;
    context.n_threads = context.n_threads_batch = 1;
    context_.reset(llama_init_from_model(model_.get(), context));
    ASSERT_NE(context_, nullptr);
  }

  // The logits after `tokens`.
  std::vector<float> decode(std::vector<llama_token> tokens) {
    const int count = static_cast<int>(tokens.size());
    EXPECT_EQ(llama_decode(context_.get(), llama_batch_get_one(tokens.data(), count)), 0);
    const float* logits = llama_get_logits_ith(context_.get(), -1);
    return {logits, logits + llama_vocab_n_tokens(vocab())};
  }

  [[nodiscard]] const llama_vocab* vocab() const { return llama_model_get_vocab(model_.get()); }

  std::unique_ptr<llama_model, FreeModel> model_;
  std::unique_ptr<llama_context, FreeContext> context_;
};

double deviation(const std::vector<float>& values) {
  double sum = 0.0;
  double squares = 0.0;
  for (const float v : values) {
    sum += v;
    squares += v * v;
  }
  const auto n = static_cast<double>(values.size());
  return std::sqrt(squares / n - sum * sum / n / n);
}

TEST_F(TinyGgufTest, AttentionModelDecodesAndCutsItsSequence) {
  load({});
  EXPECT_FALSE(llama_model_is_recurrent(model_.get()));
  const auto logits = decode({1, 260, 261});
  ASSERT_EQ(logits.size(), 320U);
  EXPECT_NEAR(deviation(logits), 2.0, 0.5);  // logit_scale, but for the weights' chance
  llama_memory_t memory = llama_get_memory(context_.get());
  EXPECT_TRUE(llama_memory_seq_rm(memory, 0, 2, -1));
  EXPECT_NE(decode({262}), logits);
}

TEST_F(TinyGgufTest, RecurrentModelDecodesAndCannotCutItsSequence) {
  load({.kind = TinyKind::kRecurrent});
  EXPECT_TRUE(llama_model_is_recurrent(model_.get()));
  EXPECT_GT(deviation(decode({1, 260, 261})), 0.5);
  EXPECT_FALSE(llama_memory_seq_rm(llama_get_memory(context_.get()), 0, 2, -1));
}

TEST_F(TinyGgufTest, HybridModelDecodesAndCannotCutItsSequence) {
  load({.kind = TinyKind::kHybrid, .n_layer = 3});
  EXPECT_TRUE(llama_model_is_hybrid(model_.get()));
  EXPECT_GT(deviation(decode({1, 260, 261})), 0.5);
  EXPECT_FALSE(llama_memory_seq_rm(llama_get_memory(context_.get()), 0, 2, -1));
}

TEST_F(TinyGgufTest, QuantisedModelIsCloseToTheFloatOne) {
  load({});
  const auto exact = decode({1, 260, 261});
  load({.weights = TinyWeights::kQ8});
  const auto quantised = decode({1, 260, 261});
  double worst = 0.0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(exact[i]) - quantised[i]));
  }
  EXPECT_GT(worst, 0.0);
  EXPECT_LT(worst, 0.5);
}

TEST_F(TinyGgufTest, VocabularyIsTheOneThatWasAskedFor) {
  load({.vocab_size = 300,
        .padding = 4,
        .bos_id = 5,
        .eos_id = 299,
        .add_bos = false,
        .replaced = {{.id = 298, .text = "<|im_end|>", .control = true}},
        .chat_template = "{{ messages }}"});
  EXPECT_EQ(llama_vocab_n_tokens(vocab()), 304);
  EXPECT_EQ(llama_vocab_bos(vocab()), 5);
  EXPECT_EQ(llama_vocab_eos(vocab()), 299);
  EXPECT_FALSE(llama_vocab_get_add_bos(vocab()));
  EXPECT_TRUE(llama_vocab_is_eog(vocab(), 298));
  EXPECT_STREQ(llama_vocab_get_text(vocab(), 286), "aa");
  EXPECT_STREQ(llama_vocab_get_text(vocab(), 303), "<pad3>");
  EXPECT_STREQ(llama_model_chat_template(model_.get(), nullptr), "{{ messages }}");
}

TEST_F(TinyGgufTest, TextBecomesPiecesAndBytesAndComesBack) {
  load({});
  const std::string text = "ab Z";
  std::vector<llama_token> tokens(16);
  const int n = llama_tokenize(vocab(), text.data(), 4, tokens.data(), 16, true, false);
  ASSERT_GT(n, 0);
  tokens.resize(static_cast<std::size_t>(n));
  // <s>, the mark of a word, "ab", the mark of a word, and the byte of the unknown letter.
  EXPECT_THAT(tokens, ::testing::ElementsAre(1, 259, 287, 259, 3 + 'Z'));
  std::string back(16, '\0');
  back.resize(static_cast<std::size_t>(
      llama_detokenize(vocab(), &tokens[1], n - 1, back.data(), 16, false, false)));
  EXPECT_EQ(back, text);
}

TEST_F(TinyGgufTest, PerturbationMovesTheModelALittle) {
  load({});
  const auto base = decode({1, 260});
  load({.perturbation = 0.05, .perturbation_seed = 3});
  auto difference = decode({1, 260});
  for (std::size_t i = 0; i < base.size(); ++i) {
    difference[i] -= base[i];
  }
  EXPECT_GT(deviation(difference), 0.01);
  EXPECT_LT(deviation(difference), 0.7 * deviation(base));
}

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(TinyGgufFile, IsTheSameForTheSameOptionsAndRemovedInTheEnd) {
  std::filesystem::path path;
  {
    const TinyGgufFile a;
    const TinyGgufFile b;
    const TinyGgufFile other(TinyGguf{.seed = 2});
    EXPECT_NE(a.path(), b.path());
    EXPECT_EQ(content(a.path()), content(b.path()));
    EXPECT_NE(content(a.path()), content(other.path()));
    path = a.path();
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(WriteTinyGguf, NamesTheOptionThatCannotBe) {
  const auto error = [](const TinyGguf& options) {
    const auto written = write_tiny_gguf(options, "never-written.gguf");
    EXPECT_EQ(written.error().code, ErrorCode::kInvalidArgument);
    return written.error().message;
  };
  EXPECT_THAT(error({.vocab_size = 10}), ::testing::HasSubstr("tokens"));
  EXPECT_THAT(error({.bos_id = 320}), ::testing::HasSubstr("bos_id"));
  EXPECT_THAT(error({.replaced = {{.id = 0, .text = ""}}}), ::testing::HasSubstr("replaced"));
  EXPECT_THAT(error({.kind = TinyKind::kHybrid, .n_layer = 1}), ::testing::HasSubstr("layers"));
  EXPECT_THAT(error({.n_embd = 30, .n_head = 4}), ::testing::HasSubstr("n_head"));
  EXPECT_THAT(error({.n_ff = 0}), ::testing::HasSubstr("n_ff"));
  EXPECT_THAT(error({.weights = TinyWeights::kQ8, .n_ff = 40}), ::testing::HasSubstr("Q8_0"));
  EXPECT_EQ(write_tiny_gguf({}, "no/such/folder/tiny.gguf").error().code, ErrorCode::kIo);
}

}  // namespace
}  // namespace gelato::testing
