// Batching, prefill, cache, admission, deadlines, drain.
#include "tests/edge/scheduler_fixture.h"

namespace gelato::edge {
namespace {

using proto::ErrorKind;
using ::testing::ElementsAre;

TEST_F(SchedulerTest, EverySessionsDraftGoesIntoOnePass) {
  start();
  std::vector<std::shared_ptr<Letters>> devices;
  std::vector<std::vector<spec::Token>> texts;
  for (std::uint64_t i = 0; i < 6; ++i) {
    devices.push_back(open(greedy(prompt(3 + i, i))));
  }
  settle();
  target_->batch_sizes.clear();
  for (std::uint64_t i = 0; i < 6; ++i) {  // drafts of different lengths
    ASSERT_TRUE(devices[i]->take<proto::Opened>().has_value());
    const auto want = model_.greedy_text(prompt(3 + i, i), i + 1);
    texts.push_back(want);
    scheduler_->deliver(devices[i], draft(0, static_cast<std::uint32_t>(3 + i),
                                          {want.begin(), want.begin() + std::ptrdiff_t(i)}));
  }
  settle();
  EXPECT_THAT(target_->batch_sizes, ElementsAre(6U));
  for (std::size_t i = 0; i < 6; ++i) {
    const auto verdict = devices[i]->take<proto::Verdict>();
    ASSERT_TRUE(verdict.has_value());
    EXPECT_EQ(verdict->accepted, i);
    EXPECT_EQ(verdict->next, texts[i].back());
    EXPECT_EQ(verdict->timing.sessions, 6U);
    EXPECT_EQ(verdict->timing.other_tokens, 6U + 15U - (1U + i)) << "text and drafts";
    EXPECT_EQ(verdict->timing.other_sessions, 5U);
  }
  EXPECT_EQ(metrics_.passes, 1U);
}

TEST_F(SchedulerTest, ABatchThatIsTooSmallIsSharedInTurns) {
  target_ = std::make_unique<ToyTarget>(model_, 1024U, 12U, 70U);  // one longest draft and a bit
  start();
  std::vector<std::shared_ptr<Letters>> devices;
  for (std::uint64_t i = 0; i < 6; ++i) {
    devices.push_back(opened(greedy(prompt(3, i))).first);
  }
  target_->batch_sizes.clear();
  for (const auto& device : devices) {
    scheduler_->deliver(device, draft(0, 3, std::vector<spec::Token>(29, 0)));
  }
  settle();
  EXPECT_THAT(target_->batch_sizes, ElementsAre(2U, 2U, 2U));
  for (const auto& device : devices) {
    EXPECT_TRUE(device->take<proto::Verdict>().has_value());
  }
}

TEST_F(SchedulerTest, AVerdictWaitsForOneChunkOfAPromptAtMost) {
  start();
  const auto [fast, ignored] = opened(greedy(prompt(3, 1)));
  const auto slow = open(greedy(prompt(100, 2)));  // 13 chunks of 8
  std::uint32_t base = 3;
  int verdicts = 0;
  for (std::uint32_t round = 0; !slow->take<proto::Opened>().has_value(); ++round) {
    ASSERT_LT(round, 20U);
    scheduler_->deliver(fast, draft(round, base, {}));
    const std::uint64_t before = target_->tokens;
    scheduler_->step();
    ASSERT_TRUE(fast->take<proto::Verdict>().has_value()) << "a verdict was held up";
    EXPECT_LE(target_->tokens - before, 1U + options_.prefill_chunk);
    ++base;
    ++verdicts;
  }
  EXPECT_EQ(verdicts, 13);
}

TEST_F(SchedulerTest, PromptsOfOneClientAreComputedOnce) {
  start();
  const auto text = prompt(50);
  EXPECT_EQ(opened(greedy(text)).second.reused, 0U);
  EXPECT_EQ(metrics_.prompt_tokens, 49U);
  // While the first session lives, after it has gone, and for a text that goes on otherwise.
  const auto [second, reply] = opened(greedy(text));
  EXPECT_EQ(reply.reused, 49U);
  EXPECT_EQ(metrics_.prompt_tokens, 49U);
  scheduler_->deliver(second, proto::Close{});
  settle();
  auto longer = text;
  longer.resize(40);
  longer.push_back((text[40] + 1) % kVocab);
  longer.push_back(0);
  EXPECT_EQ(opened(greedy(longer)).second.reused, 40U);
  EXPECT_EQ(metrics_.prompt_tokens, 50U);
  // Another client's prompt is nobody's business.
  EXPECT_EQ(opened(greedy(text), "ben").second.reused, 0U);
}

TEST_F(SchedulerTest, SessionsWithASharedPrefixDoNotDisturbEachOther) {
  start();
  const auto text = prompt(20);
  std::vector<std::shared_ptr<Letters>> devices;
  devices.reserve(3);
  for (int i = 0; i < 3; ++i) {
    devices.push_back(opened(greedy(text)).first);
  }
  EXPECT_EQ(256 - target_->free_cells(), 19U);
  const auto want = model_.greedy_text(text, 6);
  scheduler_->deliver(devices[0], draft(0, 20, {(want[0] + 1) % kVocab}));
  scheduler_->deliver(devices[1], draft(0, 20, {want[0], want[1], want[2]}));
  settle();
  scheduler_->deliver(devices[2], draft(0, 20, {want[0], (want[1] + 1) % kVocab}));
  settle();
  EXPECT_EQ(devices[0]->take<proto::Verdict>()->next, want[0]);
  EXPECT_EQ(devices[1]->take<proto::Verdict>()->next, want[3]);
  EXPECT_EQ(devices[2]->take<proto::Verdict>()->next, want[1]);
  scheduler_->deliver(devices[0], draft(1, 21, {want[1], want[2], want[3], want[4]}));
  settle();
  EXPECT_EQ(devices[0]->take<proto::Verdict>()->next, want[5]);
}

// Three texts of 40 tokens take turns in a cache of 96: idle ones are forgotten and computed again.
TEST_F(SchedulerTest, TextsThatDoNotFitAreForgottenAndRebuilt) {
  options_.context_tokens = 64;
  start(96);
  std::vector<std::shared_ptr<Letters>> devices;
  std::vector<std::vector<spec::Token>> texts;
  for (std::uint64_t i = 0; i < 3; ++i) {
    texts.push_back(prompt(40, i));
    devices.push_back(opened(greedy(texts.back())).first);
  }
  for (std::uint32_t round = 0; round < 5; ++round) {
    for (std::size_t i = 0; i < 3; ++i) {
      const auto want = model_.greedy_text(texts[i], 2);
      scheduler_->deliver(devices[i],
                          draft(round, static_cast<std::uint32_t>(texts[i].size()), {want[0]}));
      settle();
      const auto verdict = devices[i]->take<proto::Verdict>();
      ASSERT_TRUE(verdict.has_value());
      EXPECT_EQ(verdict->accepted, 1U);
      EXPECT_EQ(verdict->next, want[1]);
      texts[i].insert(texts[i].end(), want.begin(), want.end());
    }
  }
  EXPECT_GT(metrics_.evictions, 10U);
}

// All at once: nobody waits for ever although only two fit at a time.
TEST_F(SchedulerTest, AFullCacheStarvesNobody) {
  options_.context_tokens = 64;
  start(96);
  std::vector<std::shared_ptr<Letters>> devices;
  for (std::uint64_t i = 0; i < 5; ++i) {
    devices.push_back(open(greedy(prompt(40, i))));
  }
  settle();
  for (std::uint32_t round = 0; round < 3; ++round) {
    for (const auto& device : devices) {
      device->messages.clear();
      scheduler_->deliver(device, draft(round, 40 + round, {}));
    }
    settle();
    for (const auto& device : devices) {
      EXPECT_TRUE(device->take<proto::Verdict>().has_value());
    }
  }
}

TEST_F(SchedulerTest, AttendsToStaleDraftsWithoutDecodingThem) {
  start();
  const auto text = prompt(5);
  const auto want = model_.greedy_text(text, 2);
  const auto [device, ignored] = opened(greedy(text));
  const std::uint64_t before = target_->passes;
  scheduler_->deliver(device, draft(0, 5, {(want[0] + 1) % kVocab}, true));
  for (std::uint32_t i = 0; i < 10; ++i) {
    scheduler_->deliver(device, draft(0, 6 + i, {0}, true));
  }
  settle();
  EXPECT_EQ(device->take<proto::Verdict>()->next, want[0]);
  for (std::uint32_t i = 0; i < 10; ++i) {
    EXPECT_EQ(device->take<proto::Stale>()->number, 2 + i);
  }
  EXPECT_EQ(target_->passes, before + 1);
  EXPECT_EQ(metrics_.stale, 10U);
  EXPECT_EQ(device->consumed_events, 12U);
}

TEST_F(SchedulerTest, ABurstWritesTheTargetsText) {
  served_ = toy_served(kVocab, 3);
  start();
  const auto text = prompt(5);
  auto want = model_.greedy_text(text, 60);
  const auto end = std::find(want.begin(), want.end(), 3);
  const bool ends = end != want.end();
  want.erase(ends ? end + 1 : end, want.end());
  const auto [device, ignored] = opened(greedy(text));
  scheduler_->deliver(
      device, proto::Burst{.place = {.after = 0, .base = 5, .drawn = {}}, .count = 60, .chunk = 4});
  settle();
  std::vector<spec::Token> got;
  proto::BurstEnd last = proto::BurstEnd::kGoesOn;
  while (auto tokens = device->take<proto::Tokens>()) {
    EXPECT_LE(tokens->tokens.size(), 4U);
    got.insert(got.end(), tokens->tokens.begin(), tokens->tokens.end());
    last = tokens->end;
  }
  EXPECT_EQ(got, want);
  EXPECT_EQ(last, ends ? proto::BurstEnd::kEndOfText : proto::BurstEnd::kComplete);
}

TEST_F(SchedulerTest, CancelEndsABurst) {
  start();
  const auto [device, ignored] = opened(greedy(prompt(5)));
  scheduler_->deliver(
      device,
      proto::Burst{.place = {.after = 0, .base = 5, .drawn = {}}, .count = 100, .chunk = 0});
  for (int i = 0; i < 7; ++i) {
    scheduler_->step();
  }
  scheduler_->deliver(device, proto::Cancel{});
  settle();
  const auto tokens = device->take<proto::Tokens>();
  ASSERT_TRUE(tokens.has_value());
  EXPECT_EQ(tokens->tokens.size(), 7U);
  EXPECT_EQ(tokens->end, proto::BurstEnd::kCancelled);
  scheduler_->deliver(device, draft(1, 12, {}));
  settle();
  EXPECT_TRUE(device->take<proto::Verdict>().has_value());
}

TEST_F(SchedulerTest, ABurstWaitsForADeviceThatDoesNotRead) {
  start();
  const auto [device, ignored] = opened(greedy(prompt(5)));
  scheduler_->deliver(
      device,
      proto::Burst{.place = {.after = 0, .base = 5, .drawn = {}}, .count = 100, .chunk = 1});
  scheduler_->step();
  device->unread = 40;
  const std::uint64_t before = target_->passes;
  EXPECT_FALSE(scheduler_->step());
  EXPECT_EQ(target_->passes, before);
  device->unread = 0;
  settle();
  EXPECT_EQ(device->messages.size(), 100U);
}

TEST_F(SchedulerTest, ADeviceThatNeverReadsIsLetGo) {
  start();
  const auto [device, ignored] = opened(greedy(prompt(5)));
  device->unread = 65;
  settle();
  EXPECT_EQ(device->kind(), ErrorKind::kIdle);
  EXPECT_EQ(metrics_.sessions, 0);

  const auto [paused, ignored2] = opened(greedy(prompt(5)));
  scheduler_->deliver(
      paused,
      proto::Burst{.place = {.after = 0, .base = 5, .drawn = {}}, .count = 100, .chunk = 1});
  paused->unread = 40;
  settle();
  clock_.advance(options_.idle);
  settle();
  EXPECT_EQ(paused->kind(), ErrorKind::kIdle);
}

TEST_F(SchedulerTest, CloseSaysWhatTheSessionCost) {
  start();
  const auto text = prompt(5);
  const auto want = model_.greedy_text(text, 4);
  const auto [device, ignored] = opened(greedy(text));
  scheduler_->deliver(device, draft(0, 5, {want[0], want[1], (want[2] + 1) % kVocab}));
  settle();
  device->messages.clear();
  scheduler_->deliver(device, proto::Close{});
  settle();
  const auto closed = device->take<proto::Closed>();
  ASSERT_TRUE(closed.has_value());
  EXPECT_EQ(closed->committed, 8U);
  EXPECT_EQ(closed->drafted, 3U);
  EXPECT_EQ(closed->accepted, 2U);
  EXPECT_EQ(closed->passes, 2U);  // one for the prompt
  EXPECT_TRUE(device->finished);
  EXPECT_EQ(device->error, std::nullopt);
  EXPECT_EQ(metrics_.sessions, 0);
}

TEST_F(SchedulerTest, OpensThatDoNotFitAreRefused) {
  options_.context_tokens = 32;
  start();
  const auto refused = [this](proto::Open request) {
    const auto device = open(std::move(request));
    settle();
    return device->kind();
  };
  auto request = greedy(prompt(5));
  request.n_vocab = 5;
  EXPECT_EQ(refused(request), ErrorKind::kVocabulary);
  request = greedy(prompt(5));
  request.vocabulary_fingerprint ^= 1U;
  EXPECT_EQ(refused(request), ErrorKind::kVocabulary);
  request = greedy(prompt(5));
  request.model_fingerprint = 77;
  EXPECT_EQ(refused(request), ErrorKind::kModel);
  EXPECT_EQ(refused(greedy(prompt(32))), ErrorKind::kContextFull);
  request = greedy({});
  EXPECT_EQ(refused(request), ErrorKind::kMalformed);
  request.resume = proto::Resume{.session = {}, .count = 0, .hash = proto::text_hash({})};
  EXPECT_EQ(refused(request), ErrorKind::kUnknownSession);
  EXPECT_EQ(metrics_.sessions, 0);
  EXPECT_EQ(opened(greedy(prompt(31))).second.committed, 31U);
}

TEST_F(SchedulerTest, AnErrorEndsOneSessionAlone) {
  start();
  const auto [good, ignored] = opened(greedy(prompt(5, 1)));
  const auto [bad, ignored2] = opened(greedy(prompt(5, 2)));
  scheduler_->deliver(good, draft(0, 5, {}));
  scheduler_->deliver(bad, draft(0, 9, {}));
  settle();
  EXPECT_TRUE(good->take<proto::Verdict>().has_value());
  EXPECT_EQ(bad->kind(), ErrorKind::kPosition);
  EXPECT_EQ(metrics_.errors[static_cast<std::size_t>(ErrorKind::kPosition)], 1U);
  scheduler_->deliver(bad, draft(0, 5, {}));  // it does not know yet
  scheduler_->deliver(good, draft(1, 6, {}));
  settle();
  EXPECT_TRUE(good->take<proto::Verdict>().has_value());
  EXPECT_TRUE(bad->messages.empty());
}

TEST_F(SchedulerTest, AFailingModelEndsTheSessionsOfThePass) {
  std::vector<bool> health;
  options_.on_health = [&health](bool healthy) { health.push_back(healthy); };
  start();
  for (int i = 0; i < 3; ++i) {
    const auto [device, ignored] = opened(greedy(prompt(5)));
    target_->failures = 1;
    scheduler_->deliver(device, draft(0, 5, {}));
    settle();
    EXPECT_EQ(device->kind(), ErrorKind::kInternal);
    // Opening the next session works again, so the model is not given up.
  }
  EXPECT_TRUE(health.empty());
  std::vector<std::shared_ptr<Letters>> devices;
  for (std::uint64_t i = 0; i < 3; ++i) {
    devices.push_back(opened(greedy(prompt(5, 10 + i))).first);
  }
  target_->failures = 3;
  for (const auto& device : devices) {
    scheduler_->deliver(device, draft(0, 5, {}));
    settle();
  }
  EXPECT_THAT(health, ElementsAre(false));
  opened(greedy(prompt(9, 77)));
  EXPECT_THAT(health, ElementsAre(false, true));
  EXPECT_EQ(metrics_.sessions, 1);
}

TEST_F(SchedulerTest, DrainEndsSessionsBetweenRounds) {
  start();
  const auto [idle, ignored] = opened(greedy(prompt(5, 1)));
  const auto [busy, ignored2] = opened(greedy(prompt(5, 2)));
  const auto [writing, ignored3] = opened(greedy(prompt(5, 3)));
  const auto newcomer = attach();
  scheduler_->deliver(
      writing,
      proto::Burst{.place = {.after = 0, .base = 5, .drawn = {}}, .count = 100, .chunk = 0});
  scheduler_->step();
  scheduler_->deliver(busy, draft(0, 5, {}));
  scheduler_->drain();
  const auto late = open(greedy(prompt(5)));
  settle();
  EXPECT_TRUE(busy->take<proto::Verdict>().has_value());
  EXPECT_EQ(writing->take<proto::Tokens>()->end, proto::BurstEnd::kCancelled);
  for (const auto& device : {idle, busy, writing, newcomer, late}) {
    EXPECT_EQ(device->kind(), ErrorKind::kDraining);
  }
  EXPECT_TRUE(scheduler_->drained());
  EXPECT_EQ(metrics_.sessions, 0);
}

TEST_F(SchedulerTest, OptionsThatDoNotFitTheTargetAreRefused) {
  const auto refused = [this] {
    return BatchScheduler::create(*target_, served_, options_, clock_, log_, metrics_)
        .error()
        .message;
  };
  options_.admission.sessions = 12;
  EXPECT_EQ(refused(), "12 sessions need more than 12 sequences of the target's cache");
  options_.admission.sessions = 0;
  EXPECT_EQ(refused(), "0 sessions need more than 12 sequences of the target's cache");
  target_ = std::make_unique<ToyTarget>(model_, 256U, 12U, 64U);
  EXPECT_EQ(
      refused(),
      "a batch of 64 tokens and 64 rows does not hold the longest draft; it needs 65 of both");
}

}  // namespace
}  // namespace gelato::edge
