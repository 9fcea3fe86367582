// Model files that must be refused: what is said about each, and that it is one line.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>

#include "gelato/base/log.h"
#include "gelato/engine/backend.h"
#include "gelato/engine/gguf_check.h"
#include "gelato/engine/language_model.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_gguf.h"

namespace gelato::engine {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class GgufCheck : public ::testing::Test {
 protected:
  static std::string tiny(const gelato::testing::TinyGguf& options) {
    const gelato::testing::TinyGgufFile file(options);
    std::ifstream in(file.path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  Result<void> check(const std::string& bytes) {
    std::ofstream(path_, std::ios::binary).write(bytes.data(), std::ssize(bytes));
    return check_gguf(path_);
  }
  // The good model with the bytes at `offset` after the end of a name replaced.
  template <class T>
  std::string changed(std::string_view name, std::size_t offset, T value) const {
    std::string bytes = good_;
    const std::size_t at = bytes.find(name) + name.size() + offset;
    std::memcpy(bytes.data() + at, &value, sizeof value);
    return bytes;
  }
  static void expect(const Result<void>& result, ErrorCode code, const std::string& words) {
    ASSERT_FALSE(result.has_value()) << words;
    EXPECT_EQ(result.error().code, code) << result.error().message;
    EXPECT_THAT(result.error().message, HasSubstr(words));
    EXPECT_THAT(result.error().message, Not(HasSubstr("\n")));
  }

  NullLog log_;  // llama.cpp's lines go there
  std::unique_ptr<Backend> backend_ = Backend::create(log_).value();
  gelato::testing::TempDir dir_;
  std::filesystem::path path_ = dir_.path() / "model.gguf";
  std::string good_ = tiny({.vocab_size = 260, .n_layer = 1, .n_embd = 4, .n_head = 1, .n_ff = 4});
};

TEST_F(GgufCheck, AcceptsAGoodModel) {
  const auto ok = check(good_);
  EXPECT_TRUE(ok.has_value()) << ok.error().message;
}

TEST_F(GgufCheck, RefusesWhatIsNotAModelFile) {
  expect(check_gguf(dir_.path() / "none.gguf"), ErrorCode::kNotFound, "does not exist");
  expect(check_gguf(dir_.path()), ErrorCode::kInvalidArgument, "a directory");
  expect(check_gguf("/dev/null"), ErrorCode::kInvalidArgument, "not a regular file");
  expect(check(""), ErrorCode::kInvalidArgument, "not a GGUF model file");
  expect(check("Once upon a time"), ErrorCode::kInvalidArgument, "not a GGUF model file");
}

TEST_F(GgufCheck, RefusesEveryTruncation) {
  for (std::size_t size = 4; size < good_.size(); size += 101) {
    const auto result = check(good_.substr(0, size));
    ASSERT_FALSE(result.has_value()) << size;
    EXPECT_EQ(result.error().code, ErrorCode::kCorrupt) << result.error().message;
  }
}

TEST_F(GgufCheck, RefusesImpossibleSizes) {
  std::string keys = good_;
  keys.replace(16, 8, 8, '\xff');
  expect(check(keys), ErrorCode::kLimitExceeded, "metadata keys");
  // After a key's name: its type (4 bytes), then the value.
  expect(check(changed("llama.embedding_length", 4, 0U)), ErrorCode::kLimitExceeded, "outside 1..");
  expect(check(changed("llama.block_count", 4, 1U << 20U)), ErrorCode::kLimitExceeded,
         "llama.block_count is 1048576");
  expect(check(changed("llama.attention.layer_norm_rms_epsilon", 4, -1.0F)), ErrorCode::kCorrupt,
         "is -1, which is outside 0..1");
  expect(check(changed("llama.attention.head_count", 4, 3U)), ErrorCode::kCorrupt,
         "3 attention heads do not divide an embedding of 4");
}

// A name with a line end, and a byte that is not UTF-8, in a tensor that lies outside the file.
TEST_F(GgufCheck, NamesFromTheFileStayOnOneLine) {
  std::string bytes = changed("token_embd.weight", 4 + 16 + 4, std::uint64_t{1} << 40U);
  const std::size_t at = bytes.find("token_embd.weight");
  bytes.replace(at, 2, "\n\xff");
  const auto result = check(bytes);
  ASSERT_FALSE(result.has_value());
  EXPECT_THAT(result.error().message, Not(HasSubstr("\n")));
  EXPECT_THAT(result.error().message, Not(HasSubstr("\xff")));
}

// llama.cpp's own findings are passed on in its words: the cause, not that it therefore failed.
TEST_F(GgufCheck, WhatOnlyLlamaCppNoticesIsNamed) {
  std::string bytes = good_;
  bytes[bytes.find("output_norm.weight")] = 'O';
  ASSERT_TRUE(check(bytes).has_value());
  const auto missing = LanguageModel::load(*backend_, path_);
  ASSERT_FALSE(missing.has_value());
  EXPECT_THAT(missing.error().message, HasSubstr("output_norm.weight"));
}

// A failed assertion comes back without the folder that llama.cpp was built in.
TEST_F(GgufCheck, AnAssertionOfLlamaCppIsAnError) {
  good_ = tiny({.kind = gelato::testing::TinyKind::kHybrid, .vocab_size = 260, .n_embd = 4});
  ASSERT_TRUE(check(changed("jamba.ssm.inner_size", 4, 7U)).has_value());
  const auto model = LanguageModel::load(*backend_, path_);
  ASSERT_FALSE(model.has_value());
  EXPECT_EQ(model.error().code, ErrorCode::kInternal);
  EXPECT_THAT(model.error().message, HasSubstr("stopped with: jamba.cpp"));
}

}  // namespace
}  // namespace gelato::engine
