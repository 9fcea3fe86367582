// Real models on both sides: the bundled draft here, the bundled target behind the real edge, in
// this process and as a program that gets killed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <thread>

#include "gelato/device/remote_session.h"
#include "tests/device/event_log.h"
#include "tests/device/eventually.h"
#include "tests/device/model_server.h"
#include "tests/device/program.h"
#include "tests/device/session_fixture.h"
#include "tests/device/target_alone.h"
#include "tests/support/prompts.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_gguf.h"

namespace gelato::device {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string kStory = "Once upon a time, there was a little fox who lived near the river.";

class RemoteSessionNet : public SessionTest {
 protected:
  std::unique_ptr<RemoteSession> connect(const std::string& endpoint,
                                         RemoteSessionOptions options = {}) {
    options.edge.endpoint = endpoint;
    options.edge.insecure = true;
    if (options.draft_path.empty()) {
      options.draft_path = kDraft;
    }
    options.remote.reconnect.first = Seconds(0.01);
    options.remote.reconnect.longest = Seconds(0.1);
    auto session = RemoteSession::open(*backend_, clock_, log_, std::move(options));
    EXPECT_TRUE(session.has_value()) << session.error().message;
    return std::move(*session);
  }
  static Result<GenerationStats> write(RemoteSession& session, const std::string& prompt,
                                       const std::string& policy, GenerateOptions options,
                                       CollectingSink& sink) {
    const auto p = control::make_policy(policy).value();
    return session.generate(session.tokenize(prompt, false).value(), options, *p, sink);
  }

  EventLog log_;
};

// Fifty prompts of up to 128 tokens in each wire mode, by one device and by sixteen at once. The
// modes with rows are for sampling; of the likeliest token alone, which is greedy.
TEST_F(RemoteSessionNet, FiftyPromptsAreWrittenAsByTheTargetAlone) {
  constexpr std::size_t kAtOnce = 16;
  const auto local = open(kTarget, "");
  const auto context = engine::Context::create(
      local->target(), {.tokens = local->context_tokens(), .max_rows = 1, .pool = {}});
  const std::vector<std::string> prompts = gelato::testing::prompts(50);
  std::vector<Reference> wanted;
  wanted.reserve(prompts.size());
  for (const std::string& prompt : prompts) {
    wanted.push_back(target_alone(**context, local->tokenize(prompt, false).value(), 128));
  }
  ModelServer server(*backend_, kTarget, {}, kAtOnce);
  server.options.scheduler.admission.sessions_per_client = kAtOnce;
  server.start();
  for (const auto mode : {proto::WireMode::kIds, proto::WireMode::kQRow, proto::WireMode::kDssd}) {
    GenerateOptions how{.sampler = {}, .max_tokens = 128};
    if (mode != proto::WireMode::kIds) {
      how.sampler = {.temperature = 0.8, .top_k = 1};
    }
    RemoteSessionOptions options;
    options.mode = mode;
    for (const std::size_t devices : {std::size_t{1}, kAtOnce}) {
      std::vector<std::vector<spec::Token>> texts(prompts.size());
      std::vector<std::thread> threads;
      threads.reserve(devices);
      for (std::size_t device = 0; device < devices; ++device) {
        threads.emplace_back([&, session = connect(server.endpoint(), options), device] {
          for (std::size_t i = device; i < prompts.size(); i += devices) {
            CollectingSink got;
            const auto stats = write(*session, prompts[i], "static:4", how, got);
            EXPECT_TRUE(stats.has_value()) << stats.error().message;
            texts[i] = got.tokens();
          }
        });
      }
      for (std::thread& thread : threads) {
        thread.join();
      }
      std::size_t tokens = 0;
      std::size_t near_ties = 0;
      for (std::size_t i = 0; i < prompts.size(); ++i) {
        tokens += texts[i].size();
        near_ties += count_near_ties(wanted[i], texts[i], prompts[i]);
      }
      std::printf("%s, %zu devices: %zu tokens, %zu differences at near-ties\n",
                  std::string(to_string(mode)).c_str(), devices, tokens, near_ties);
    }
  }
  EXPECT_GT(server->metrics().accepted, server->metrics().drafted / 4);
}

TEST_F(RemoteSessionNet, SampledTextsFollowFromTheSeedAlsoAcrossACutLink) {
  ModelServer server(*backend_, kTarget);
  server.start();
  for (const auto mode : {proto::WireMode::kQRow, proto::WireMode::kDssd}) {
    const GenerateOptions options{
        .sampler = {.temperature = 0.9, .top_k = 40, .top_p = 0.95}, .seed = 7, .max_tokens = 80};
    const auto text = [&](std::uint64_t seed, bool cut) {
      RemoteSessionOptions how;
      how.mode = mode;
      const auto session = connect(server.endpoint(), how);
      CollectingSink sink;
      log_.on_warning = [&] { session->relay().sever(false); };
      if (cut) {
        sink.at(30, [&] { session->relay().sever(true); });
      }
      GenerateOptions seeded = options;
      seeded.seed = seed;
      const auto stats = write(*session, kStory, "static:3", seeded, sink);
      EXPECT_TRUE(stats.has_value()) << stats.error().message;
      EXPECT_GT(stats->acceptance.accepted(), 0U);
      EXPECT_EQ(session->usage().edge.losses, cut ? 1U : 0U);
      return sink.tokens();
    };
    const auto want = text(7, false);
    EXPECT_EQ(text(7, false), want) << to_string(mode);
    EXPECT_EQ(text(7, true), want) << to_string(mode);
    EXPECT_NE(text(8, false), want) << to_string(mode);
  }
}

TEST_F(RemoteSessionNet, AConversationReusesWhatTheEdgeHasRead) {
  ModelServer server(*backend_, kTarget);
  server.start();
  const auto session = connect(server.endpoint());
  CollectingSink first;
  ASSERT_TRUE(write(*session, kStory, "static:4", {.sampler = {}, .max_tokens = 30}, first));
  std::vector<spec::Token> prompt = session->tokenize(kStory, false).value();
  prompt.insert(prompt.end(), first.tokens().begin(), first.tokens().end());
  const std::size_t shared = prompt.size();
  prompt.push_back(first.tokens().front());
  CollectingSink second;
  const auto policy = control::make_policy("static:4").value();
  ASSERT_TRUE(session->generate(prompt, {.sampler = {}, .max_tokens = 10}, *policy, second));
  EXPECT_GE(session->usage().edge.prompt_tokens_reused, shared - 2);
  EXPECT_EQ(server->metrics().resumed, 1U);
  EXPECT_EQ(server->metrics().sessions, 1);
  EXPECT_TRUE(session->close().has_value());
}

TEST_F(RemoteSessionNet, RefusesWhatDoesNotFitBeforeItIsSent) {
  ModelServer server(*backend_, kTarget);
  server.start();
  const auto session = connect(server.endpoint());
  CollectingSink sink;
  const auto policy = control::make_policy("static:4").value();
  const std::vector<spec::Token> endless(5000, 300);
  auto stats = session->generate(endless, {.sampler = {}}, *policy, sink);
  EXPECT_EQ(stats.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(stats.error().message, HasSubstr("shorten the prompt"));
  RemoteSessionOptions sampling;
  sampling.mode = proto::WireMode::kDssd;
  stats = write(*connect(server.endpoint(), sampling), kStory, "static:4", {.sampler = {}}, sink);
  EXPECT_THAT(stats.error().message, HasSubstr("wire mode dssd is for sampling"));
  EXPECT_THAT(sink.tokens(), IsEmpty());

  gelato::testing::TempDir dir;
  const std::string other = dir.path() / "other.gguf";
  ASSERT_TRUE(gelato::testing::write_tiny_gguf({}, other).has_value());
  RemoteSessionOptions options;
  options.edge.endpoint = server.endpoint();
  options.edge.insecure = true;
  options.draft_path = other;
  const auto refused = RemoteSession::open(*backend_, clock_, log_, options);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(refused.error().message, HasSubstr("same tokenizer"));
}

TEST_F(RemoteSessionNet, NobodyThereIsToldInOneSentence) {
  RemoteSessionOptions options;
  options.edge.endpoint = "127.0.0.1:" + std::to_string(listen_on_loopback()->port);
  options.edge.insecure = true;
  options.draft_path = kDraft;
  const auto refused = RemoteSession::open(*backend_, clock_, log_, options);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(refused.error().message, "cannot connect to edge " + options.edge.endpoint +
                                         ": Connection refused; is `gelato edge` running there?");
}

// kill -9 in the middle of a text, and a new process on the same port.
TEST_F(RemoteSessionNet, AnEdgeProcessThatIsKilledAndStartedAgainChangesNothing) {
  Program edge;
  const std::uint16_t port = start_edge(edge, 0);
  const auto session = connect("127.0.0.1:" + std::to_string(port));
  for (const char* policy : {"static:4", "edge-only"}) {
    CollectingSink want;
    ASSERT_TRUE(write(*session, kStory, policy, {.sampler = {}, .max_tokens = 128}, want));
    CollectingSink got;
    got.at(40, [&] { edge.end(SIGKILL); });
    log_.on_warning = [&] { start_edge(edge, port); };
    const auto stats = write(*session, kStory, policy, {.sampler = {}, .max_tokens = 128}, got);
    log_.on_warning = nullptr;
    ASSERT_TRUE(stats.has_value()) << stats.error().message;
    EXPECT_EQ(got.tokens(), want.tokens()) << policy;
  }
  EXPECT_EQ(session->usage().edge.losses, 2U);
}

// A device that is killed says nothing; its session must not stay.
TEST_F(RemoteSessionNet, TheSessionOfAKilledDeviceIsFreed) {
  ModelServer server(*backend_, kTarget);
  server.options.scheduler.lease = Seconds(0.05);
  server.start();
  Program device;
  device.start({"device", "--edge", server.endpoint(), "-p", kStory, "-n", "-1", "--link",
                "rate=1mbit,delay=20ms"});
  ASSERT_TRUE(eventually([&] { return server->metrics().committed > 10; }));
  EXPECT_EQ(server->metrics().sessions, 1);
  device.end(SIGKILL);
  EXPECT_TRUE(eventually([&] { return server->metrics().sessions == 0; }));
  EXPECT_EQ(server->metrics().leases_expired, 1U);
}

}  // namespace
}  // namespace gelato::device
