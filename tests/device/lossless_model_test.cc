// Greedy speculation writes what the target alone writes, token for token.
//
// The one exception that arithmetic allows: where the target's two largest logits are closer than
// engine::kLogitTolerance, a pass over many tokens may order them differently than a pass over one.
// Such places are counted and printed; any other difference fails.
#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <vector>

#include "gelato/engine/context.h"
#include "tests/device/session_fixture.h"
#include "tests/device/target_alone.h"
#include "tests/support/prompts.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_gguf.h"

namespace gelato::device {
namespace {

constexpr std::size_t kTokens = 128;

// Compares the texts of all prompts under static:gamma with the target alone.
void expect_lossless(LocalSession& session, const std::vector<std::string>& prompts,
                     std::uint32_t gamma, std::size_t n) {
  auto context = engine::Context::create(
      session.target(), {.tokens = session.context_tokens(), .max_rows = 1, .pool = {}});
  ASSERT_TRUE(context.has_value());
  std::size_t tokens = 0;
  std::size_t near_ties = 0;
  std::uint64_t drafted = 0;
  std::uint64_t accepted = 0;
  for (const std::string& text : prompts) {
    const auto prompt = session.tokenize(text, false).value();
    const Reference want = target_alone(**context, prompt, n);
    const auto policy = control::make_policy("static:" + std::to_string(gamma)).value();
    CollectingSink got;
    const auto stats =
        session.generate(prompt, {.sampler = {}, .max_tokens = n}, policy.get(), got);
    ASSERT_TRUE(stats.has_value()) << stats.error().message;
    drafted += stats->acceptance.drafted();
    accepted += stats->acceptance.accepted();
    tokens += want.tokens.size();
    near_ties += count_near_ties(want, got.tokens(), text);
  }
  std::printf(
      "gamma %2u: %zu prompts, %zu tokens, %zu differences at near-ties, %.1f %% of drafted "
      "accepted\n",
      gamma, prompts.size(), tokens, near_ties,
      100.0 * static_cast<double>(accepted) / static_cast<double>(drafted));
}

struct Case {
  const char* draft;
  std::uint32_t gamma;
};

class Lossless : public SessionTest, public ::testing::WithParamInterface<Case> {};

TEST_P(Lossless, HundredPrompts) {
  const auto session = open(kTarget, GetParam().draft);
  expect_lossless(*session, gelato::testing::prompts(100), GetParam().gamma, kTokens);
}

INSTANTIATE_TEST_SUITE_P(BundledPairs, Lossless,
                         ::testing::Values(Case{kDraft, 1}, Case{kDraft, 4}, Case{kDraft, 8},
                                           Case{kSmallDraft, 1}, Case{kSmallDraft, 4},
                                           Case{kSmallDraft, 8}),
                         [](const auto& test) {
                           return std::string(test.param.draft == kDraft ? "Draft3m" : "Draft1m") +
                                  "Gamma" + std::to_string(test.param.gamma);
                         });

// Random models disagree almost everywhere, or agree by construction; both must be lossless, up to
// the longest draft and to the end of the context.
class LosslessRandom : public SessionTest {
 protected:
  std::string write(const std::string& name, const gelato::testing::TinyGguf& options) {
    const auto path = dir_.path() / name;
    const auto ok = gelato::testing::write_tiny_gguf(options, path);
    EXPECT_TRUE(ok.has_value()) << ok.error().message;
    return path;
  }
  gelato::testing::TempDir dir_;
};

const std::vector<std::string> kShortPrompts = {"a", "the cat", "abc def ghi", "zz y x"};

TEST_F(LosslessRandom, UnrelatedDraft) {
  const auto session = open(write("t.gguf", {.seed = 1}), write("d.gguf", {.seed = 2}));
  for (const std::uint32_t gamma : {1U, 8U, 64U}) {
    expect_lossless(*session, kShortPrompts, gamma, 60);
  }
}

TEST_F(LosslessRandom, RelatedDraftAtEveryLength) {
  const auto session = open(write("t.gguf", {.n_layer = 3, .seed = 1}),
                            write("d.gguf", {.n_layer = 3, .seed = 1, .perturbation = 0.2}));
  for (const std::uint32_t gamma : {1U, 2U, 3U, 7U}) {
    expect_lossless(*session, kShortPrompts, gamma, 300);
  }
  expect_lossless(*session, kShortPrompts, control::kMaxDraftLength, 60);
}

TEST_F(LosslessRandom, TheTargetAsItsOwnDraft) {
  const std::string model = write("t.gguf", {.seed = 5});
  const auto session = open(model, model);
  for (const std::uint32_t gamma : {1U, 5U, 64U}) {
    expect_lossless(*session, kShortPrompts, gamma, 300);
  }
}

TEST_F(LosslessRandom, PaddedVocabularyOnEitherSide) {
  const std::string plain = write("plain.gguf", {.seed = 1});
  const std::string padded = write("padded.gguf", {.padding = 32, .seed = 1});
  for (const auto& [target, draft] : {std::pair{plain, padded}, std::pair{padded, plain}}) {
    const auto session = open(target, draft);
    EXPECT_FALSE(session->vocabulary_note().empty());
    expect_lossless(*session, kShortPrompts, 6, 200);
  }
}

TEST_F(LosslessRandom, DraftWithAShorterContext) {
  const auto session =
      open(write("t.gguf", {.context_length = 256, .seed = 1}),
           write("d.gguf", {.context_length = 64, .seed = 1, .perturbation = 0.1}));
  expect_lossless(*session, kShortPrompts, 4, 250);
}

}  // namespace
}  // namespace gelato::device
