// The decider is spec::verify_greedy() and spec::verify_sampling(), row by row.
#include "gelato/edge/decider.h"

#include <gtest/gtest.h>

#include <limits>

#include "gelato/proto/row_code.h"
#include "gelato/spec/verify.h"
#include "tests/edge/toy_target.h"

namespace gelato::edge {
namespace {

constexpr spec::Token kVocab = 6;

class Deciding : public ::testing::Test {
 protected:
  // A draft of the first `n` of `tokens`, with the toy draft model's rows.
  proto::Draft draft(const std::vector<spec::Token>& prompt, std::size_t n, Rng& rng) {
    proto::Draft out;
    std::vector<spec::Token> text = prompt;
    for (std::size_t i = 0; i < n; ++i) {
      const spec::SparseDist& row = draft_.row(text);
      text.push_back(row.sample(rng.uniform()));
      out.q.push_back(row.prob(text.back()));
      out.draft.push(text.back()) = row;
    }
    return out;
  }
  // The target's rows for the draft, as the sampler makes them of its logits.
  std::vector<spec::SparseDist> compute(const std::vector<spec::Token>& prompt,
                                        const proto::Draft& asked,
                                        const engine::SamplerParams& sampling) {
    EXPECT_TRUE(target_.truncate(0, 0).has_value());
    std::vector<spec::Token> input = prompt;
    const auto drafted = asked.draft.tokens();
    input.insert(input.end(), drafted.begin(), drafted.end());
    const auto rows = static_cast<std::uint32_t>(drafted.size() + 1);
    const Target::Append append{0, input, rows};
    EXPECT_TRUE(target_.decode({&append, 1}).has_value());
    std::vector<spec::SparseDist> out(rows);
    engine::Sampler sampler(sampling);
    for (std::uint32_t i = 0; i < rows; ++i) {
      EXPECT_TRUE(sampler.distribution(*target_.logits(0, i), out[i]).has_value());
    }
    return out;
  }

  toy::ToyModel model_ = toy::ToyModel::random({.n_vocab = kVocab, .order = 2}, 3);
  toy::ToyModel draft_ = toy::ToyModel::mix(
      model_, toy::ToyModel::random({.n_vocab = kVocab, .order = 2, .sharpness = 3.0}, 4), 0.5);
  ToyTarget target_{model_};
  Decider decider_;
};

TEST_F(Deciding, SamplingIsVerifySampling) {
  const std::vector<spec::Token> prompt = {1, 2, 3};
  const engine::SamplerParams sampling{.temperature = 0.7, .top_k = 4, .top_p = 0.95};
  Rng rng(5, "decider");
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const proto::Draft asked = draft(prompt, seed % 6, rng);
    const auto p = compute(prompt, asked, sampling);
    Rng verify(seed, stream_id("verify"), 2 * 3);  // docs/protocol.md, "Uniforms"
    const auto want = spec::verify_sampling(asked.draft.tokens(), asked.draft.rows(), p, verify);
    const auto got = decider_.decide(
        {.mode = proto::WireMode::kQRow, .sampler = sampling, .seed = seed}, asked, 3, target_, 0);
    ASSERT_TRUE(got.has_value());
    EXPECT_EQ(got->accepted, want.accepted);
    EXPECT_EQ(got->next, want.next);
  }
}

// The same decisions, but for what floats round; on a rejection the row instead of the token.
TEST_F(Deciding, ScalarsLeaveTheResidualToTheDevice) {
  const std::vector<spec::Token> prompt = {1, 2, 3};
  const engine::SamplerParams sampling{.temperature = 1.0};
  Rng rng(6, "decider");
  std::size_t rejections = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const proto::Draft asked = draft(prompt, 1 + seed % 5, rng);
    const auto p = compute(prompt, asked, sampling);
    Rng verify(seed, stream_id("verify"), 2 * 3);
    const auto want = spec::verify_sampling(asked.draft.tokens(), asked.draft.rows(), p, verify);
    const auto got = decider_.decide(
        {.mode = proto::WireMode::kDssd, .sampler = sampling, .seed = seed}, asked, 3, target_, 0);
    ASSERT_TRUE(got.has_value());
    ASSERT_EQ(got->accepted, want.accepted);
    if (got->accepted == asked.draft.size()) {
      EXPECT_EQ(got->next, want.next);
      continue;
    }
    ++rejections;
    EXPECT_EQ(got->next, std::nullopt);
    const auto row = proto::decode_row(got->row, kVocab);
    ASSERT_TRUE(row.has_value());
    Rng device(seed, stream_id("verify"), 2 * 3 + std::uint64_t{got->accepted} + 1);
    EXPECT_EQ(spec::sample_residual(*row, asked.draft.rows()[got->accepted], device.uniform()),
              want.next);
  }
  EXPECT_GT(rejections, 50U);
}

TEST_F(Deciding, GreedyIsVerifyGreedy) {
  const std::vector<spec::Token> prompt = {1, 2, 3};
  Rng rng(7, "decider");
  for (int i = 0; i < 300; ++i) {
    const proto::Draft asked = draft(prompt, static_cast<std::size_t>(i) % 6, rng);
    std::vector<spec::Token> argmax;
    for (const spec::SparseDist& row : compute(prompt, asked, {})) {
      argmax.push_back(row.argmax());
    }
    const auto want = spec::verify_greedy(asked.draft.tokens(), argmax);
    const auto got = decider_.decide({}, asked, 3, target_, 0);
    ASSERT_TRUE(got.has_value());
    EXPECT_EQ(got->accepted, want.accepted);
    EXPECT_EQ(got->next, want.next);
  }
}

TEST_F(Deciding, WithoutBonusTheLastRowIsNotLookedAt) {
  const std::vector<spec::Token> prompt = {1, 2, 3};
  std::vector<spec::Token> want = model_.greedy_text(prompt, 3);
  proto::Draft asked;
  for (const spec::Token token : want) {
    asked.draft.push(token);
  }
  asked.no_bonus = true;
  EXPECT_EQ(rows_needed(asked), 3U);
  std::vector<spec::Token> input = prompt;
  input.insert(input.end(), want.begin(), want.end() - 1);
  const Target::Append append{0, input, 3};  // a fourth row would throw
  ASSERT_TRUE(target_.decode({&append, 1}).has_value());
  const auto got = decider_.decide({}, asked, 3, target_, 0);
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->accepted, 3U);
  EXPECT_EQ(got->next, std::nullopt);
}

// Gives rows that are no rows.
class BrokenTarget final : public Target {
 public:
  [[nodiscard]] TargetShape shape() const override { return {.n_vocab = 2}; }
  Result<void> decode(std::span<const Append> /*appends*/) override { return {}; }
  [[nodiscard]] Result<std::span<const float>> logits(std::size_t /*append*/,
                                                      std::uint32_t /*row*/) override {
    static constexpr std::array kRow = {std::numeric_limits<float>::quiet_NaN(), 0.0F};
    return std::span<const float>(kRow);
  }
  Result<void> truncate(std::uint32_t /*sequence*/, std::uint32_t /*length*/) override {
    return {};
  }
  Result<void> copy_prefix(std::uint32_t /*from*/, std::uint32_t /*to*/,
                           std::uint32_t /*length*/) override {
    return {};
  }
  [[nodiscard]] std::uint32_t free_cells() const override { return 0; }
};

TEST_F(Deciding, ABrokenRowIsAnError) {
  BrokenTarget broken;
  proto::Draft asked;
  EXPECT_EQ(decider_.decide({}, asked, 1, broken, 0).error().code, ErrorCode::kInternal);
  const Law sampling{.mode = proto::WireMode::kQRow, .sampler = {.temperature = 1.0}, .seed = 1};
  EXPECT_EQ(decider_.decide(sampling, asked, 1, broken, 0).error().code, ErrorCode::kInternal);
}

}  // namespace
}  // namespace gelato::edge
