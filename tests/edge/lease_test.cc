// Sessions without a stream, resumption, admission and deadlines.
#include "tests/edge/scheduler_fixture.h"

namespace gelato::edge {
namespace {

using proto::ErrorKind;

class Leases : public SchedulerTest {
 protected:
  proto::Open resume(const proto::Opened& session, const std::vector<spec::Token>& text,
                     std::size_t count) {
    proto::Open out = greedy({text.begin() + std::ptrdiff_t(count), text.end()});
    out.resume = proto::Resume{.session = session.session,
                               .count = static_cast<std::uint32_t>(count),
                               .hash = proto::text_hash(std::span(text).first(count))};
    return out;
  }
  ErrorKind refused(const proto::Open& request, const std::string& client = "anna") {
    const auto device = open(request, client);
    settle();
    return device->kind();
  }
};

TEST_F(Leases, AVanishedDevicesSessionIsFreedWhenItsLeaseIsOver) {
  start();
  const auto [device, ignored] = opened(greedy(prompt(20)));
  scheduler_->lost(device);
  settle();
  EXPECT_EQ(metrics_.sessions, 1);
  clock_.advance(options_.lease - Seconds(0.001));
  settle();
  EXPECT_EQ(metrics_.sessions, 1);
  clock_.advance(Seconds(0.002));
  settle();
  EXPECT_EQ(metrics_.sessions, 0);
  EXPECT_EQ(metrics_.leases_expired, 1U);
  EXPECT_FALSE(device->finished);  // there was nobody to tell
}

TEST_F(Leases, AnotherStreamGoesOnWhereTheFirstBroke) {
  start();
  auto text = prompt(20);
  const auto want = model_.greedy_text(text, 6);
  const auto [device, session] = opened(greedy(text));
  scheduler_->deliver(device, draft(0, 20, {want[0], want[1]}));
  settle();
  scheduler_->lost(device);
  text.insert(text.end(), want.begin(), want.begin() + 3);

  const auto [again, reply] = opened(resume(session, text, 23));
  EXPECT_EQ(reply.committed, 23U);
  EXPECT_EQ(reply.reused, 22U);
  EXPECT_EQ(reply.session, session.session);
  scheduler_->deliver(again, draft(0, 23, {want[3], want[4]}));  // numbers start again
  settle();
  EXPECT_EQ(again->take<proto::Verdict>()->next, want[5]);
  EXPECT_EQ(metrics_.resumed, 1U);
  EXPECT_EQ(metrics_.sessions, 1);
}

TEST_F(Leases, AVerdictThatWasLostIsForgotten) {
  start();
  const auto text = prompt(20);
  const auto want = model_.greedy_text(text, 4);
  const auto [device, session] = opened(greedy(text));
  scheduler_->deliver(device, draft(0, 20, {want[0], want[1]}));
  settle();  // the edge has 23 tokens, the device never hears of them
  scheduler_->lost(device);
  const auto [again, reply] = opened(resume(session, text, 20));
  EXPECT_EQ(reply.committed, 20U);
  scheduler_->deliver(again, draft(0, 20, {want[0], want[1], want[2]}));
  settle();
  EXPECT_EQ(again->take<proto::Verdict>()->next, want[3]);
}

TEST_F(Leases, WhatTheDeviceWroteMeanwhileIsAppended) {
  start();
  auto text = prompt(20);
  const auto [device, session] = opened(greedy(text));
  scheduler_->lost(device);
  text.insert(text.end(), {0, 1, 2, 3, 3});
  const auto [again, reply] = opened(resume(session, text, 20));
  EXPECT_EQ(reply.committed, 25U);
  EXPECT_EQ(reply.reused, 19U);
  scheduler_->deliver(again, draft(0, 25, {}));
  settle();
  EXPECT_EQ(again->take<proto::Verdict>()->next, model_.greedy_text(text, 1)[0]);
}

TEST_F(Leases, AnAliveStreamIsReplaced) {
  start();
  const auto text = prompt(20);
  const auto [device, session] = opened(greedy(text));
  const auto [again, ignored] = opened(resume(session, text, 20));
  EXPECT_EQ(device->kind(), ErrorKind::kReplaced);
  scheduler_->lost(device);  // its end is no news about the session
  scheduler_->deliver(again, draft(0, 20, {}));
  settle();
  EXPECT_TRUE(again->take<proto::Verdict>().has_value());
  EXPECT_EQ(metrics_.sessions, 1);
}

TEST_F(Leases, OnlyWhatIsThereAndOnesOwnIsResumed) {
  start();
  const auto text = prompt(20);
  const auto [device, session] = opened(greedy(text));
  scheduler_->lost(device);
  auto other = text;
  other[3] = (other[3] + 1) % kVocab;
  EXPECT_EQ(refused(resume(session, other, 20)), ErrorKind::kUnknownSession);
  auto longer = text;
  longer.push_back(0);
  EXPECT_EQ(refused(resume(session, longer, 21)), ErrorKind::kUnknownSession);
  EXPECT_EQ(refused(resume(session, text, 20), "ben"), ErrorKind::kUnknownSession);
  proto::Opened guess = session;
  guess.session[15] = 1;
  EXPECT_EQ(refused(resume(guess, text, 20)), ErrorKind::kUnknownSession);
  EXPECT_EQ(opened(resume(session, text, 20)).second.committed, 20U);  // none of them did harm
}

TEST_F(Leases, SessionsAreCountedPerClientAndInAll) {
  options_.admission = {.sessions = 4, .sessions_per_client = 2, .overcommit = 100.0};
  start();
  opened(greedy(prompt(5)));
  opened(greedy(prompt(5)));
  EXPECT_EQ(refused(greedy(prompt(5))), ErrorKind::kBusy);
  opened(greedy(prompt(5)), "ben");
  const auto [last, ignored] = opened(greedy(prompt(5)), "ben");
  const auto device = open(greedy(prompt(5)), "cleo");
  settle();
  ASSERT_EQ(device->kind(), ErrorKind::kBusy);
  EXPECT_GT(device->error->retry_after, Seconds());
  scheduler_->deliver(last, proto::Close{});
  opened(greedy(prompt(5)), "cleo");
}

TEST_F(Leases, ASessionWithoutADeviceMakesRoom) {
  options_.admission = {.sessions = 2, .sessions_per_client = 2, .overcommit = 100.0};
  start();
  const auto [first, one] = opened(greedy(prompt(5, 1)));
  opened(greedy(prompt(5, 2)));
  EXPECT_EQ(refused(greedy(prompt(5, 3)), "ben"), ErrorKind::kBusy);
  scheduler_->lost(first);
  opened(greedy(prompt(5, 3)), "ben");
  EXPECT_EQ(metrics_.sessions, 2);
  EXPECT_EQ(refused(resume(one, prompt(5, 1), 5)), ErrorKind::kUnknownSession);
}

TEST_F(Leases, TokensAreCounted) {
  options_.admission.overcommit = 1.0;
  start(128);
  opened(greedy(prompt(60, 1)));
  opened(greedy(prompt(60, 2)));
  EXPECT_EQ(refused(greedy(prompt(60, 3))), ErrorKind::kBusy);
  opened(greedy(prompt(8, 3)));
}

TEST_F(Leases, AStreamMustOpenASessionSoon) {
  start();
  const auto device = attach();
  clock_.advance(options_.opening - Seconds(0.001));
  settle();
  EXPECT_FALSE(device->finished);
  clock_.advance(Seconds(0.002));
  settle();
  EXPECT_EQ(device->kind(), ErrorKind::kIdle);
}

TEST_F(Leases, ASilentStreamIsEnded) {
  start();
  const auto [device, ignored] = opened(greedy(prompt(5)));
  clock_.advance(options_.idle - Seconds(0.001));
  settle();
  EXPECT_FALSE(device->finished);
  scheduler_->deliver(device, draft(0, 5, {}));
  settle();
  clock_.advance(options_.idle - Seconds(0.001));
  settle();
  EXPECT_FALSE(device->finished);
  clock_.advance(Seconds(0.002));
  settle();
  EXPECT_EQ(device->kind(), ErrorKind::kIdle);
}

TEST_F(Leases, ARequestDoesNotWaitForEver) {
  start();
  const auto [device, ignored] = opened(greedy(prompt(5)));
  scheduler_->deliver(device, draft(0, 5, {}));
  clock_.advance(options_.patience - Seconds(0.001));  // the model thread is away for so long
  settle();
  EXPECT_TRUE(device->take<proto::Verdict>().has_value());
  scheduler_->deliver(device, draft(1, 6, {}));
  clock_.advance(options_.patience + Seconds(0.001));
  settle();
  ASSERT_EQ(device->kind(), ErrorKind::kDeadline);
  EXPECT_GT(device->error->retry_after, Seconds());
}

TEST_F(Leases, ManyStreamsThatNeverOpenLeaveNothingBehind) {
  start();
  const auto [device, ignored] = opened(greedy(prompt(5)));
  std::vector<std::shared_ptr<Letters>> half_open;
  for (int i = 0; i < 1000; ++i) {
    half_open.push_back(attach("mallory"));
  }
  scheduler_->deliver(device, draft(0, 5, {}));
  settle();
  EXPECT_TRUE(device->take<proto::Verdict>().has_value());
  EXPECT_EQ(metrics_.streams, 1001);
  clock_.advance(options_.opening);
  settle();
  for (const auto& letters : half_open) {
    EXPECT_EQ(letters->kind(), ErrorKind::kIdle);
    EXPECT_EQ(letters.use_count(), 1) << "the scheduler still holds it";
    scheduler_->lost(letters);
  }
  settle();
  EXPECT_EQ(metrics_.streams, 1);
}

}  // namespace
}  // namespace gelato::edge
