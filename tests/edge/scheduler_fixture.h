// A scheduler on a toy target and a virtual clock, turned by hand, and devices that talk to it
// without a network.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gelato/base/clock.h"
#include "gelato/base/log.h"
#include "gelato/edge/batch_scheduler.h"
#include "tests/edge/toy_target.h"
#include "tests/support/toy_model.h"

namespace gelato::edge {

// Keeps what a device would be sent.
class Letters final : public Outbox {
 public:
  void send(const proto::EdgeMessage& message) override { messages.push_back(message); }
  void finish(const std::optional<proto::WireError>& why) override {
    EXPECT_FALSE(finished) << "finished twice";
    finished = true;
    error = why;
  }
  [[nodiscard]] std::size_t backlog() const override { return unread; }
  void consumed() override { ++consumed_events; }

  // The next message, if it is a `Message`.
  template <class Message>
  std::optional<Message> take() {
    if (messages.empty() || !std::holds_alternative<Message>(messages.front())) {
      return std::nullopt;
    }
    auto message = std::get<Message>(std::move(messages.front()));
    messages.pop_front();
    return message;
  }
  [[nodiscard]] proto::ErrorKind kind() const {
    return error ? error->kind : proto::ErrorKind::kUnspecified;
  }

  std::deque<proto::EdgeMessage> messages;
  bool finished = false;
  std::optional<proto::WireError> error;
  std::size_t unread = 0;
  std::size_t consumed_events = 0;
};

class SchedulerTest : public ::testing::Test {
 protected:
  static constexpr spec::Token kVocab = 4;

  SchedulerTest() {
    options_.admission = {.sessions = 6, .sessions_per_client = 6, .overcommit = 100.0};
    options_.prefill_chunk = 8;
    options_.make_id = [this]() -> Result<proto::SessionId> {
      proto::SessionId id{};
      id[0] = ++ids_;
      return id;
    };
  }
  void start() {
    auto made = BatchScheduler::create(*target_, served_, options_, clock_, log_, metrics_);
    ASSERT_TRUE(made.has_value()) << made.error().message;
    scheduler_ = std::move(*made);
  }
  void start(std::uint32_t cells, std::uint32_t sequences = 12) {
    target_ = std::make_unique<ToyTarget>(model_, cells, sequences);
    start();
  }

  std::shared_ptr<Letters> attach(const std::string& client = "anna") {
    auto letters = std::make_shared<Letters>();
    scheduler_->attach(letters, client);
    return letters;
  }
  std::shared_ptr<Letters> open(proto::Open open, const std::string& client = "anna") {
    auto letters = attach(client);
    scheduler_->deliver(letters, std::move(open));
    return letters;
  }
  // Turns until there is nothing to do.
  void settle() {
    for (int i = 0; i < 10'000; ++i) {
      if (!scheduler_->step()) {
        return;
      }
    }
    FAIL() << "the scheduler never comes to rest";
  }
  // Opens, and waits until it is open.
  std::pair<std::shared_ptr<Letters>, proto::Opened> opened(proto::Open request,
                                                            const std::string& client = "anna") {
    auto letters = open(std::move(request), client);
    settle();
    auto message = letters->take<proto::Opened>();
    EXPECT_TRUE(message.has_value()) << (letters->error ? letters->error->message : "");
    return {letters, message.value_or(proto::Opened{})};
  }
  static proto::Open greedy(std::vector<spec::Token> prompt) {
    return toy_open(kVocab, proto::WireMode::kIds, std::move(prompt));
  }
  static proto::Draft draft(std::uint32_t after, std::uint32_t base,
                            const std::vector<spec::Token>& tokens, bool no_bonus = false) {
    proto::Draft out;
    out.place = {.after = after, .base = base, .drawn = {}};
    for (const spec::Token token : tokens) {
      out.draft.push(token);
    }
    out.no_bonus = no_bonus;
    return out;
  }
  // A text of `n` tokens, different for every `seed`.
  static std::vector<spec::Token> prompt(std::size_t n, std::uint64_t seed = 0) {
    Rng rng(seed, "prompt");
    std::vector<spec::Token> out;
    while (out.size() < n) {
      out.push_back(static_cast<spec::Token>(rng.below(kVocab)));
    }
    return out;
  }

  toy::ToyModel model_ =
      toy::ToyModel::random({.n_vocab = kVocab, .order = 3, .sharpness = 4.0}, 1);
  std::unique_ptr<ToyTarget> target_ = std::make_unique<ToyTarget>(model_, 256U, 12U);
  ServedModel served_ = toy_served(kVocab);
  VirtualClock clock_;
  NullLog log_;
  Metrics metrics_;
  SchedulerOptions options_;
  std::unique_ptr<BatchScheduler> scheduler_;
  std::uint8_t ids_ = 0;
};

}  // namespace gelato::edge
