#include "gelato/edge/session.h"

#include <fmt/format.h>

#include <cassert>
#include <utility>

#include "gelato/proto/row_code.h"

namespace gelato::edge {

using proto::ErrorKind;
using proto::refuse;
using proto::WireResult;

const proto::Place& Session::Request::place() const {
  return std::visit([](const auto& w) -> const proto::Place& { return w.place; }, what);
}

Session::Session(const Law& law, spec::Token n_vocab, std::uint32_t context_tokens,
                 std::vector<spec::Token> text)
    : law_(law), n_vocab_(n_vocab), context_tokens_(context_tokens), text_(std::move(text)) {
  assert(!text_.empty() && text_.size() < context_tokens);
  text_.reserve(context_tokens);
}

WireResult<> Session::receive(proto::Draft draft) {
  return enqueue(Request{.number = 0, .what = std::move(draft)});
}

WireResult<> Session::receive(proto::Burst burst) {
  return enqueue(Request{.number = 0, .what = burst});
}

WireResult<> Session::enqueue(Request request) {
  const std::uint32_t after = request.place().after;
  if (queue_.size() >= proto::kMaxInFlight) {
    return refuse(ErrorKind::kTooMany,
                  fmt::format("more than {} requests are without an answer", proto::kMaxInFlight));
  }
  if (after < last_after_ || after > answered_) {
    return refuse(ErrorKind::kPosition,
                  fmt::format("request {} was written after answer {}, but the one before it after "
                              "{}, and answer {} is the last that was sent",
                              received_ + 1, after, last_after_, answered_));
  }
  request.number = ++received_;
  last_after_ = after;
  queue_.push_back(std::move(request));
  return {};
}

void Session::cancel(std::vector<proto::EdgeMessage>& answers) {
  if (queue_.empty()) {
    return;
  }
  break_ = queue_.back().number;
  if (in_burst()) {
    answers.emplace_back(burst_answer(proto::BurstEnd::kCancelled));
  }
}

WireResult<Session::Work> Session::next(std::vector<proto::EdgeMessage>& answers) {
  while (!queue_.empty() && !in_turn_ && queue_.front().place().after < break_) {
    answers.emplace_back(proto::Stale{queue_.front().number});
    ++stale_;
    answered(false);
  }
  if (queue_.empty()) {
    return Work::kNone;
  }
  if (!in_turn_) {
    if (auto ok = begin_turn(queue_.front()); !ok) {
      return refuse(ok.error());
    }
  }
  return std::holds_alternative<proto::Draft>(queue_.front().what) ? Work::kDraft : Work::kBurst;
}

// All before it is answered, and it was written in knowledge of that: now its place must be right.
WireResult<> Session::begin_turn(const Request& request) {
  const proto::Place& place = request.place();
  const bool owed = !drawing_from_.empty();
  if (place.drawn.has_value() != owed) {
    return refuse(ErrorKind::kUnexpected,
                  owed ? fmt::format("request {} does not name the token that was drawn from the "
                                     "row before it",
                                     request.number)
                       : fmt::format("request {} names a drawn token, but there was no row to draw "
                                     "from",
                                     request.number));
  }
  if (place.base != text_.size() + (owed ? 1 : 0)) {
    return refuse(ErrorKind::kPosition,
                  fmt::format("request {} is for place {} of the text, which has {} tokens",
                              request.number, place.base, text_.size() + (owed ? 1 : 0)));
  }
  const auto* draft = std::get_if<proto::Draft>(&request.what);
  const std::size_t tokens = draft != nullptr ? rows_needed(*draft) : 1;
  if (place.base + tokens > context_tokens_) {
    return refuse(ErrorKind::kContextFull,
                  fmt::format("the text of {} tokens and {} more do not fit the context of {}",
                              place.base, tokens, context_tokens_));
  }
  if (owed) {
    const auto row = proto::decode_row(drawing_from_, n_vocab_);
    if (!row || !(row->prob(*place.drawn) > 0.0)) {
      return refuse(
          ErrorKind::kRow,
          fmt::format("token {} cannot be drawn from the row that was sent", *place.drawn));
    }
    text_.push_back(*place.drawn);
    drawing_from_.clear();
  }
  in_turn_ = true;
  burst_written_ = 0;
  return {};
}

const proto::Draft& Session::draft() const { return std::get<proto::Draft>(queue_.front().what); }

proto::Verdict Session::decided(const Decision& decision) {
  const proto::Draft& draft = this->draft();
  assert(in_turn_ && decision.accepted <= draft.draft.size());
  proto::Verdict verdict{.number = queue_.front().number,
                         .accepted = decision.accepted,
                         .next = decision.next,
                         .row = decision.row,
                         .timing = {}};
  const auto stands = draft.draft.tokens().first(decision.accepted);
  text_.insert(text_.end(), stands.begin(), stands.end());
  if (decision.next) {
    text_.push_back(*decision.next);
  }
  drawing_from_ = decision.row;
  drafted_ += draft.draft.size();
  accepted_ += decision.accepted;
  answered(decision.next.has_value() || !decision.row.empty());
  return verdict;
}

std::optional<proto::Tokens> Session::wrote(spec::Token token, bool ends_text) {
  const auto& burst = std::get<proto::Burst>(queue_.front().what);
  text_.push_back(token);
  burst_tokens_.push_back(token);
  ++burst_written_;
  if (ends_text) {
    return burst_answer(proto::BurstEnd::kEndOfText);
  }
  if (burst_written_ == burst.count) {
    return burst_answer(proto::BurstEnd::kComplete);
  }
  if (text_.size() == context_tokens_) {
    return burst_answer(proto::BurstEnd::kContextFull);
  }
  if (burst_tokens_.size() == burst.chunk) {
    return burst_answer(proto::BurstEnd::kGoesOn);
  }
  return std::nullopt;
}

proto::Tokens Session::burst_answer(proto::BurstEnd end) {
  proto::Tokens tokens{.number = queue_.front().number,
                       .tokens = std::exchange(burst_tokens_, {}),
                       .end = end,
                       .timing = {}};
  if (end != proto::BurstEnd::kGoesOn) {
    answered(true);
  }
  return tokens;
}

void Session::answered(bool breaks) {
  answered_ = queue_.front().number;
  if (breaks && answered_ > break_) {
    break_ = answered_;
  }
  queue_.pop_front();
  in_turn_ = false;
}

}  // namespace gelato::edge
