// One generation as a state machine: what has been committed, what may come when, what is stale.
// No network, no model, no clock. The rules are those of docs/protocol.md.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "gelato/edge/decider.h"
#include "gelato/proto/error.h"
#include "gelato/proto/messages.h"

namespace gelato::edge {

// One thread. A method that fails leaves the session good for nothing but being thrown away: the
// stream ends with that error.
class Session {
 public:
  // `text` is not empty and leaves room for a token: text.size() < context_tokens.
  Session(const Law& law, spec::Token n_vocab, std::uint32_t context_tokens,
          std::vector<spec::Token> text);

  // A request has arrived.
  // Errors: kTooMany; kPosition for an `after` that decreases or names a request without answer.
  proto::WireResult<> receive(proto::Draft draft);
  proto::WireResult<> receive(proto::Burst burst);

  // Drops what waits. A request whose turn has come is past that: a draft will be decided, a burst
  // ends here, and its answer is appended to `answers`.
  void cancel(std::vector<proto::EdgeMessage>& answers);

  // Whose turn is it? Answers of stale requests, which are passed over, are appended to `answers`.
  // After kDraft decided(), after kBurst wrote() is to be called when the target has been asked;
  // until then next() gives the same again.
  // Errors: kPosition, kUnexpected (`drawn` missing or not due), kRow (`drawn` is impossible),
  // kContextFull.
  enum class Work : std::uint8_t { kNone, kDraft, kBurst };
  proto::WireResult<Work> next(std::vector<proto::EdgeMessage>& answers);

  // What is to be decided. Precondition: the last next() gave kDraft.
  [[nodiscard]] const proto::Draft& draft() const;

  // The target's decision on draft(). Commits it and returns the answer, without timing.
  proto::Verdict decided(const Decision& decision);
  // The next token of the burst whose turn it is. Commits it and returns an answer, without timing,
  // if one is due.
  std::optional<proto::Tokens> wrote(spec::Token token, bool ends_text);

  // Prompt and committed tokens.
  [[nodiscard]] std::span<const spec::Token> text() const { return text_; }
  [[nodiscard]] const Law& law() const { return law_; }
  [[nodiscard]] std::uint32_t context_tokens() const { return context_tokens_; }
  // Requests that have not been answered.
  [[nodiscard]] std::size_t waiting() const { return queue_.size(); }
  // Whether it is a burst's turn.
  [[nodiscard]] bool in_burst() const {
    return in_turn_ && std::holds_alternative<proto::Burst>(queue_.front().what);
  }

  [[nodiscard]] std::uint64_t drafted() const { return drafted_; }
  [[nodiscard]] std::uint64_t accepted() const { return accepted_; }
  [[nodiscard]] std::uint64_t stale() const { return stale_; }

 private:
  struct Request {
    std::uint32_t number = 0;
    std::variant<proto::Draft, proto::Burst> what;
    [[nodiscard]] const proto::Place& place() const;
  };
  proto::WireResult<> enqueue(Request request);
  proto::WireResult<> begin_turn(const Request& request);
  proto::Tokens burst_answer(proto::BurstEnd end);
  void answered(bool breaks);

  Law law_;
  spec::Token n_vocab_;
  std::uint32_t context_tokens_;
  std::vector<spec::Token> text_;

  std::deque<Request> queue_;
  bool in_turn_ = false;
  std::uint32_t received_ = 0;    // requests
  std::uint32_t answered_ = 0;    // requests; the number of the last one
  std::uint32_t last_after_ = 0;  // of the last request received
  std::uint32_t break_ = 0;       // the last request whose answer changed the text unforeseen

  // The row that the device is drawing from, as it was sent; empty if no token is owed.
  std::vector<std::uint8_t> drawing_from_;
  std::vector<spec::Token> burst_tokens_;  // written, not sent
  std::uint32_t burst_written_ = 0;

  std::uint64_t drafted_ = 0;
  std::uint64_t accepted_ = 0;
  std::uint64_t stale_ = 0;
};

}  // namespace gelato::edge
