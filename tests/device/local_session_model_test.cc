// The round loop on real models: what it commits, why it stops, what it costs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "gelato/device/text_stream.h"
#include "tests/device/session_fixture.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_gguf.h"

namespace gelato::device {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

class LocalSessionTest : public SessionTest {
 protected:
  static std::unique_ptr<control::Policy> policy(const std::string& text) {
    return control::make_policy(text).value();
  }
  gelato::testing::TempDir dir_;
};

TEST_F(LocalSessionTest, WritesExactlyAsManyTokensAsWanted) {
  const auto session = open(kTarget, kDraft);
  const auto prompt = session->tokenize("Once upon a time", false).value();
  for (const std::uint64_t n : {1U, 2U, 3U, 17U, 64U}) {
    CollectingSink sink;
    const auto p = policy("static:8");
    const auto stats = session->generate(prompt, {.sampler = {}, .max_tokens = n}, p.get(), sink);
    ASSERT_TRUE(stats.has_value());
    EXPECT_EQ(sink.tokens().size(), n);
    EXPECT_EQ(stats->tokens, n);
    EXPECT_EQ(stats->stop, StopReason::kLimit);
    EXPECT_EQ(stats->acceptance.committed(), n);
  }
}

TEST_F(LocalSessionTest, OriginsAddUpToTheStatistics) {
  const auto session = open(kTarget, kDraft);
  const auto prompt = session->tokenize("Once upon a time", false).value();
  CollectingSink sink;
  const auto p = policy("static:4");
  const auto stats = session->generate(prompt, {.sampler = {}, .max_tokens = 100}, p.get(), sink);
  ASSERT_TRUE(stats.has_value());
  const auto count = [&](Origin origin) {
    return static_cast<std::uint64_t>(
        std::count(sink.origins().begin(), sink.origins().end(), origin));
  };
  EXPECT_EQ(count(Origin::kAccepted), stats->acceptance.accepted());
  EXPECT_EQ(count(Origin::kCorrection) + count(Origin::kBonus) + count(Origin::kTarget),
            stats->acceptance.rounds());
  EXPECT_GT(stats->first_token, stats->prefill);
  EXPECT_GE(stats->total, stats->drafting + stats->verifying);
  EXPECT_LE(stats->gap_p50, stats->gap_p95);

  CollectingSink alone;
  ASSERT_TRUE(
      session->generate(prompt, {.sampler = {}, .max_tokens = 10}, nullptr, alone).has_value());
  EXPECT_THAT(alone.origins(), Each(Origin::kTarget));
}

TEST_F(LocalSessionTest, StopsWhenTheContextIsFullWithEveryCellUsed) {
  const auto path = dir_.path() / "m.gguf";
  ASSERT_TRUE(
      gelato::testing::write_tiny_gguf({.context_length = 256, .seed = 7}, path).has_value());
  const auto session = open(path, path);
  const auto prompt = session->tokenize("abc", false).value();
  for (const bool speculate : {false, true}) {
    const auto p = policy("static:6");
    CollectingSink sink;
    const auto stats = session->generate(prompt, {.sampler = {}, .max_tokens = 0},
                                         speculate ? p.get() : nullptr, sink);
    ASSERT_TRUE(stats.has_value()) << stats.error().message;
    if (stats->stop == StopReason::kContext) {
      EXPECT_EQ(prompt.size() + sink.tokens().size(), 257U);
    } else {
      EXPECT_EQ(stats->stop, StopReason::kEndOfGeneration);
    }
  }
}

TEST_F(LocalSessionTest, NothingFollowsTheEndOfTheText) {
  const auto session = open(kTarget, kDraft);
  // A sum whose answer this model ends by itself, as training data did.
  const auto prompt = session->tokenize("Question: What is 2 + 2?\nAnswer:", false).value();
  CollectingSink sink;
  const auto p = policy("static:8");
  const auto stats = session->generate(prompt, {.sampler = {}, .max_tokens = 600}, p.get(), sink);
  ASSERT_TRUE(stats.has_value());
  ASSERT_EQ(stats->stop, StopReason::kEndOfGeneration);
  EXPECT_TRUE(session->target().is_end_of_generation(sink.tokens().back()));
  for (std::size_t i = 0; i + 1 < sink.tokens().size(); ++i) {
    EXPECT_FALSE(session->target().is_end_of_generation(sink.tokens()[i]));
  }
}

TEST_F(LocalSessionTest, TheSinkCanStopIt) {
  const auto session = open(kTarget, kDraft);
  const auto prompt = session->tokenize("Once upon a time", false).value();
  CollectingSink sink;
  sink.stop_after(5);
  const auto p = policy("static:2");
  const auto stats = session->generate(prompt, {.sampler = {}, .max_tokens = 100}, p.get(), sink);
  ASSERT_TRUE(stats.has_value());
  EXPECT_EQ(stats->stop, StopReason::kSink);
  EXPECT_LE(sink.tokens().size(), 7U);
}

TEST_F(LocalSessionTest, SamplingIsReproducibleFromTheSeed) {
  const auto session = open(kTarget, kDraft);
  const auto prompt = session->tokenize("One day", false).value();
  const engine::SamplerParams sampler{
      .temperature = 0.9, .top_k = 50, .top_p = 0.95, .min_p = 0.01};
  const auto write = [&](std::uint64_t seed) {
    CollectingSink sink;
    const auto p = policy("static:4");
    const auto stats = session->generate(
        prompt, {.sampler = sampler, .seed = seed, .max_tokens = 60}, p.get(), sink);
    EXPECT_TRUE(stats.has_value());
    EXPECT_GT(stats->acceptance.accepted(), 0U);
    return sink.tokens();
  };
  EXPECT_EQ(write(1), write(1));
  EXPECT_NE(write(1), write(2));
}

TEST_F(LocalSessionTest, RefusesWhatCannotWork) {
  const auto session = open(kTarget, "");
  EXPECT_EQ(session->draft(), nullptr);
  const auto prompt = session->tokenize("One day", false).value();
  CollectingSink sink;
  const auto p = policy("static:4");
  EXPECT_EQ(session->generate(prompt, {.sampler = {}, .max_tokens = 4}, p.get(), sink).error().code,
            ErrorCode::kInvalidArgument);
  const std::vector<spec::Token> long_prompt(session->context_tokens(), 300);
  const auto too_long =
      session->generate(long_prompt, {.sampler = {}, .max_tokens = 4}, nullptr, sink);
  ASSERT_FALSE(too_long.has_value());
  EXPECT_THAT(too_long.error().message, HasSubstr("--ctx-size"));
  EXPECT_EQ(
      session->generate(prompt, {.sampler = {.temperature = -1.0}}, nullptr, sink).error().code,
      ErrorCode::kInvalidArgument);
  // And the session still works.
  EXPECT_TRUE(
      session->generate(prompt, {.sampler = {}, .max_tokens = 4}, nullptr, sink).has_value());
}

TEST_F(LocalSessionTest, RecurrentModelsWriteAloneButDoNotSpeculate) {
  const auto recurrent = dir_.path() / "mamba.gguf";
  const auto attention = dir_.path() / "llama.gguf";
  ASSERT_TRUE(
      gelato::testing::write_tiny_gguf({.kind = gelato::testing::TinyKind::kRecurrent}, recurrent)
          .has_value());
  ASSERT_TRUE(gelato::testing::write_tiny_gguf({}, attention).has_value());
  for (const auto& [target, draft] :
       {std::pair{recurrent, attention}, std::pair{attention, recurrent}}) {
    const auto session = LocalSession::open(
        *backend_, clock_, {.target_path = target, .draft_path = draft, .progress = {}});
    ASSERT_FALSE(session.has_value());
    EXPECT_EQ(session.error().code, ErrorCode::kUnsupported);
    EXPECT_THAT(session.error().message, HasSubstr("recurrent state"));
  }
  const auto alone = open(recurrent, "");
  CollectingSink sink;
  const auto prompt = alone->tokenize("abc", false).value();
  EXPECT_TRUE(alone->generate(prompt, {.sampler = {}, .max_tokens = 8}, nullptr, sink).has_value());
}

TEST_F(LocalSessionTest, TextStreamCutsAtStopStringsAcrossTokens) {
  const auto session = open(kTarget, "");
  const auto tokens =
      session->target().tokenize("One fine day END never seen", false, false).value();
  for (const auto& [stop, want] : std::vector<std::pair<std::string, std::string>>{
           {"END", " One fine day "},
           {"fine day E", " One "},
           {"absent", " One fine day END never seen"}}) {
    std::string text;
    TextStream stream(session->target(), {"", stop},
                      [&](std::string_view piece, Origin) { text += piece; });
    bool more = true;
    for (const spec::Token token : tokens) {
      more = more && stream.push({token, Origin::kAccepted});
    }
    stream.finish();
    EXPECT_EQ(text, want);
    EXPECT_EQ(stream.stopped(), stop != "absent");
    EXPECT_EQ(more, stop == "absent");
  }
}

// Resident memory in pages, from the kernel.
std::size_t resident_pages() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  statm >> total >> resident;
  return resident;
}

TEST_F(LocalSessionTest, MemoryIsFlatOverTenThousandRounds) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the sanitizers' own memory grows: they keep what is freed for a while";
#endif
  const auto path = dir_.path() / "m.gguf";
  ASSERT_TRUE(
      gelato::testing::write_tiny_gguf({.context_length = 512, .seed = 7}, path).has_value());
  const auto draft = dir_.path() / "d.gguf";
  ASSERT_TRUE(gelato::testing::write_tiny_gguf(
                  {.context_length = 512, .seed = 7, .perturbation = 0.3}, draft)
                  .has_value());
  const auto session = open(path, draft);
  const auto prompt = session->tokenize("abc", false).value();
  std::uint64_t rounds = 0;
  std::size_t after_2000 = 0;
  while (rounds < 10000) {
    CollectingSink sink;
    const auto p = policy("static:3");
    const auto stats =
        session->generate(prompt, {.sampler = {.temperature = 1.0}, .seed = rounds}, p.get(), sink);
    ASSERT_TRUE(stats.has_value());
    rounds += stats->acceptance.rounds();
    after_2000 = after_2000 == 0 && rounds >= 2000 ? resident_pages() : after_2000;
  }
  std::printf("%llu rounds: %zu pages resident after 2 000, %zu at the end\n",
              static_cast<unsigned long long>(rounds), after_2000, resident_pages());
  EXPECT_LE(resident_pages(), after_2000 + 64);  // 256 KiB: what the allocator may still round up
}

}  // namespace
}  // namespace gelato::device
