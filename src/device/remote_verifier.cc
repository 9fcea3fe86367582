#include "gelato/device/remote_verifier.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <variant>

namespace gelato::device {

using proto::ErrorKind;
using proto::refuse;
using proto::WireResult;

namespace {

// An edge that breaks the protocol: an error that no new attempt will mend.
tl::unexpected<proto::WireError> malformed(const Error& error) {
  return refuse(ErrorKind::kMalformed, error.message);
}

ReconnectOptions reconnect_options(const RemoteOptions& options) {
  ReconnectOptions reconnect = options.reconnect;
  if (options.when_offline == WhenOffline::kDraft) {
    reconnect.give_up = Seconds(std::numeric_limits<double>::infinity());
  }
  return reconnect;
}

}  // namespace

RemoteStats& RemoteStats::operator+=(const RemoteStats& other) {
  requests += other.requests;
  stale += other.stale;
  passes += other.passes;
  busy += other.busy;
  queued += other.queued;
  prompt_tokens_reused += other.prompt_tokens_reused;
  losses += other.losses;
  away += other.away;
  return *this;
}

RemoteVerifier::RemoteVerifier(EdgeTransport& transport, const Clock& clock, Log& log, Rng jitter,
                               const EdgeTerms& terms, RemoteOptions options)
    : transport_(&transport),
      clock_(&clock),
      log_(&log),
      options_(std::move(options)),
      dialogue_(terms),
      reconnect_(reconnect_options(options_), jitter) {}

RemoteVerifier::~RemoteVerifier() { close(); }

Result<void> RemoteVerifier::start(std::span<const spec::Token> prompt) {
  dialogue_.start(prompt);
  if (!dialogue_.has_session()) {
    close();  // an edge that holds another text need not keep it
  }
  reconnect_.answered();
  away_since_.reset();
  final_.reset();
  open_stream();
  return {};
}

void RemoteVerifier::open_stream() {
  chunks_in_flight_ = 0;
  transport_->open(dialogue_.open());
  stream_ = Stream::kOpening;
  opened_by_ = clock_->now() + options_.open_timeout;
}

// A stream that knows the whole text, or is being told it.
void RemoteVerifier::be_ready() {
  if (stream_ == Stream::kNone || !dialogue_.in_step()) {
    open_stream();
  }
}

WireResult<> RemoteVerifier::take_opened(const proto::Opened& opened) {
  if (stream_ == Stream::kOpen) {
    return refuse(ErrorKind::kMalformed, "the edge opened a stream twice");
  }
  if (auto ok = dialogue_.on_opened(opened); !ok) {
    return malformed(ok.error());
  }
  stream_ = Stream::kOpen;
  stats_.prompt_tokens_reused += opened.reused;
  stats_.busy += opened.timing.verify / std::max(1U, opened.timing.sessions);
  stats_.queued += opened.timing.queue;
  costs_.shared_with(opened.timing.other_sessions);
  return {};
}

// Deals with a message that answers nothing that is waited for: true if it was one.
WireResult<bool> RemoteVerifier::absorb(const proto::EdgeMessage& message) {
  if (const auto* opened = std::get_if<proto::Opened>(&message)) {
    if (auto ok = take_opened(*opened); !ok) {
      return refuse(ok.error());
    }
    return true;
  }
  if (const auto* stale = std::get_if<proto::Stale>(&message)) {
    if (auto ok = dialogue_.on_stale(*stale); !ok) {
      return malformed(ok.error());
    }
    ++stats_.stale;
    return true;
  }
  return false;
}

// The next message that absorb() does not deal with.
WireResult<proto::EdgeMessage> RemoteVerifier::await(Seconds timeout) {
  Seconds deadline = clock_->now() + timeout;
  for (;;) {
    if (interrupted()) {
      return refuse(ErrorKind::kCancelled, "interrupted while waiting");
    }
    const Seconds until = stream_ == Stream::kOpening ? opened_by_ : deadline;
    const Seconds left = until - clock_->now();
    if (left <= Seconds(0)) {
      return refuse(
          ErrorKind::kDeadline,
          stream_ == Stream::kOpening
              ? fmt::format("the prompt was not read within {} s", options_.open_timeout.value())
              : fmt::format("no answer came within {} s", timeout.value()));
    }
    auto message = transport_->receive(std::min(left, kPatience));
    if (!message) {
      return refuse(message.error());
    }
    if (!message->has_value()) {
      continue;
    }
    const auto absorbed = absorb(**message);
    if (!absorbed) {
      return refuse(absorbed.error());
    }
    if (!*absorbed) {
      return **std::move(message);
    }
    deadline = clock_->now() + timeout;
  }
}

template <class Answer>
WireResult<Answer> RemoteVerifier::await_answer() {
  auto message = await(options_.answer_timeout);
  if (!message) {
    return refuse(message.error());
  }
  auto* answer = std::get_if<Answer>(&*message);
  if (answer == nullptr || stream_ != Stream::kOpen) {
    return refuse(ErrorKind::kMalformed, "the edge gave an answer that fits no request");
  }
  return std::move(*answer);
}

// `steady`: the stream was open before the request, so that its time holds no prompt.
// `own`: tokens that the target read for this device.
void RemoteVerifier::account(std::uint32_t drafted, std::uint32_t own, Seconds sent,
                             const Traffic& before, bool steady, const proto::Timing& timing) {
  found_again();
  stats_.busy += timing.verify / std::max(1U, timing.sessions);
  stats_.queued += timing.queue;
  costs_.shared_with(timing.other_sessions);
  if (steady) {
    const Traffic now = transport_->traffic();
    costs_.add(drafted, {.own = own, .others = timing.other_tokens},
               {.up = bytes(static_cast<double>(now.up_bytes - before.up_bytes)),
                .down = bytes(static_cast<double>(now.down_bytes - before.down_bytes)),
                .sent = sent,
                .received = clock_->now(),
                .queue = timing.queue,
                .service = timing.verify});
  }
}

WireResult<spec::Verdict> RemoteVerifier::try_verify(const spec::Draft& draft) {
  be_ready();
  const bool steady = stream_ == Stream::kOpen;
  const Traffic before = transport_->traffic();
  const Seconds sent = clock_->now();
  transport_->send(dialogue_.ask(draft));
  const auto answer = await_answer<proto::Verdict>();
  if (!answer) {
    return refuse(answer.error());
  }
  auto verdict = dialogue_.on_verdict(*answer, draft);
  if (!verdict) {
    return malformed(verdict.error());
  }
  ++stats_.requests;
  ++stats_.passes;
  const auto drafted = static_cast<std::uint32_t>(draft.size());
  account(drafted, drafted + 1, sent, before, steady, answer->timing);
  return *verdict;
}

// Returns how many tokens were shown, all that are wanted; `shown` counts them also on a failure.
WireResult<> RemoteVerifier::try_write(std::uint32_t count, const Show& show,
                                       std::uint32_t& shown) {
  be_ready();
  bool steady = stream_ == Stream::kOpen;
  const Traffic before = transport_->traffic();
  const Seconds sent = clock_->now();
  transport_->send(dialogue_.ask_burst(count));
  for (;;) {
    const auto answer = await_answer<proto::Tokens>();
    if (!answer) {
      return refuse(answer.error());
    }
    if (auto ok = dialogue_.on_tokens(*answer); !ok) {
      return malformed(ok.error());
    }
    stats_.passes += answer->tokens.size();
    account(0, 1, sent, before, std::exchange(steady, false), answer->timing);
    shown += static_cast<std::uint32_t>(answer->tokens.size());
    const bool ended = answer->end != proto::BurstEnd::kGoesOn;
    if (!answer->tokens.empty() && !show(answer->tokens) && !ended) {
      transport_->send(proto::Cancel{});
      dialogue_.abandon();
      return {};
    }
    if (ended) {
      ++stats_.requests;
      return {};
    }
  }
}

// A failed stream shows in receive().
Result<void> RemoteVerifier::send(const spec::Draft& chunk, bool last) {
  if (auto ok = wait_for_retry(); !ok) {
    return ok;
  }
  be_ready();
  Chunk& flying = chunks_[(first_chunk_ + chunks_in_flight_++) % chunks_.size()];
  flying.draft = chunk;
  flying.last = last;
  flying.measures = stream_ == Stream::kOpen && dialogue_.in_flight() == 0;
  flying.before = transport_->traffic();
  flying.sent = clock_->now();
  transport_->send(dialogue_.ask(chunk, last));
  flying.bytes = transport_->traffic().up_bytes - flying.before.up_bytes;
  return {};
}

// `punctual`: the device was waiting when the answer came. One that came while it drafted is read
// some time later, which would count as the link's.
WireResult<ChunkVerdict> RemoteVerifier::take_verdict(const proto::Verdict& answer, bool punctual) {
  if (chunks_in_flight_ == 0) {
    return refuse(ErrorKind::kMalformed, "the edge gave an answer that fits no request");
  }
  const Chunk& chunk = chunks_[first_chunk_];
  const auto verdict = dialogue_.on_chunk(answer, chunk.draft);
  if (!verdict) {
    return malformed(verdict.error());
  }
  ++stats_.requests;
  ++stats_.passes;
  Traffic before = chunk.before;
  before.up_bytes = transport_->traffic().up_bytes - chunk.bytes;
  const auto drafted = static_cast<std::uint32_t>(chunk.draft.size());
  account(drafted, drafted + (chunk.last ? 1 : 0), chunk.sent, before, chunk.measures && punctual,
          answer.timing);
  first_chunk_ = (first_chunk_ + 1) % chunks_.size();
  chunks_in_flight_ = verdict->next ? 0 : chunks_in_flight_ - 1;
  return *verdict;
}

// Nothing if no verdict has come.
WireResult<std::optional<ChunkVerdict>> RemoteVerifier::poll(Seconds wait) {
  const auto message = transport_->receive(wait);
  if (!message) {
    return refuse(message.error());
  }
  if (!message->has_value()) {
    return std::nullopt;
  }
  const auto absorbed = absorb(**message);
  if (!absorbed) {
    return refuse(absorbed.error());
  }
  if (*absorbed) {
    return std::nullopt;
  }
  const auto* answer = std::get_if<proto::Verdict>(&**message);
  if (answer == nullptr || stream_ != Stream::kOpen) {
    return refuse(ErrorKind::kMalformed, "the edge gave an answer that fits no request");
  }
  const auto verdict = take_verdict(*answer, wait > Seconds(0));
  if (!verdict) {
    return refuse(verdict.error());
  }
  return *verdict;
}

// Waits until one of the stale requests, which are all there are, is answered.
WireResult<std::optional<ChunkVerdict>> RemoteVerifier::await_stale() {
  const Seconds deadline = clock_->now() + options_.answer_timeout;
  const std::uint32_t before = dialogue_.in_flight();
  while (dialogue_.in_flight() == before) {
    if (interrupted()) {
      return refuse(ErrorKind::kCancelled, "interrupted while waiting");
    }
    if (clock_->now() >= deadline) {
      return refuse(ErrorKind::kDeadline,
                    fmt::format("no answer came within {} s", options_.answer_timeout.value()));
    }
    if (auto verdict = poll(kPatience); !verdict || *verdict) {
      return verdict;
    }
  }
  return std::nullopt;
}

WireResult<std::optional<ChunkVerdict>> RemoteVerifier::await_verdict() {
  if (chunks_in_flight_ == 0) {
    return await_stale();
  }
  const auto answer = await_answer<proto::Verdict>();
  if (!answer) {
    return refuse(answer.error());
  }
  const auto verdict = take_verdict(*answer, true);
  if (!verdict) {
    return refuse(verdict.error());
  }
  return *verdict;
}

Result<ChunkAnswer> RemoteVerifier::receive(bool wait) {
  const std::uint32_t before = dialogue_.in_flight();
  auto verdict = poll(Seconds(0));
  if (wait && verdict && !*verdict && dialogue_.in_flight() == before) {
    verdict = await_verdict();
  }
  if (verdict) {
    return *verdict ? ChunkAnswer{.state = ChunkAnswer::State::kVerdict, .verdict = **verdict}
                    : ChunkAnswer{};
  }
  chunks_in_flight_ = 0;
  if (auto ok = lost(verdict.error()); !ok) {
    return fail(ok.error());
  }
  return ChunkAnswer{.state = ChunkAnswer::State::kLost, .verdict = {}};
}

Result<spec::Verdict> RemoteVerifier::verify(const spec::Draft& draft) {
  for (;;) {
    if (auto ok = wait_for_retry(); !ok) {
      return fail(ok.error());
    }
    const auto verdict = try_verify(draft);
    if (verdict) {
      return *verdict;
    }
    if (auto ok = lost(verdict.error()); !ok) {
      return fail(ok.error());
    }
  }
}

Result<std::uint32_t> RemoteVerifier::write(std::uint32_t count, const Show& show) {
  std::uint32_t shown = 0;
  for (;;) {
    if (auto ok = wait_for_retry(); !ok) {
      return fail(ok.error());
    }
    const auto written = try_write(count - shown, show, shown);
    if (written || shown == count) {
      return shown;
    }
    if (auto ok = lost(written.error()); !ok) {
      return fail(ok.error());
    }
  }
}

// The stream has failed. Success: it is worth trying again, at retry_at_.
Result<void> RemoteVerifier::lost(const proto::WireError& error) {
  Error sentence = proto::to_error(error);
  sentence.message = fmt::format("edge {}: {}", options_.name, sentence.message);
  if (interrupted()) {
    // Whatever failed, also if it had nothing to do with the interrupt: nobody waits for it any
    // more. close() is to come, on this stream.
    return fail(ErrorCode::kCancelled, std::move(sentence.message));
  }
  if (sentence.code == ErrorCode::kCancelled) {
    sentence.code = ErrorCode::kUnavailable;  // it was not the user who cancelled
  }
  transport_->drop();
  stream_ = Stream::kNone;
  const Reconnect::Step step = reconnect_.failed(error, clock_->now());
  if (step.recovery == Recovery::kNone) {
    away_since_.reset();
    return fail(std::move(sentence));
  }
  if (step.recovery == Recovery::kAnew) {
    dialogue_.forget_session();
  } else if (!away_since_) {
    ++stats_.losses;
    away_since_ = clock_->now();
    if (options_.when_offline != WhenOffline::kStop) {
      log_->warn(sentence.message + (options_.when_offline == WhenOffline::kDraft
                                         ? "; the draft model writes alone until it is back"
                                         : "; waiting for it"));
    }
  }
  retry_at_ = step.at;
  const bool gone = step.recovery == Recovery::kResume;
  if (gone && options_.when_offline == WhenOffline::kStop) {
    away_since_.reset();
    return fail(std::move(sentence));
  }
  if (gone && options_.when_offline == WhenOffline::kDraft) {
    return fail(ErrorCode::kUnavailable, std::move(sentence.message));
  }
  return {};
}

Result<void> RemoteVerifier::wait_for_retry() {
  if (final_) {
    return fail(*std::exchange(final_, std::nullopt));
  }
  while (stream_ == Stream::kNone && clock_->now() < retry_at_) {
    if (interrupted()) {
      return fail(ErrorCode::kCancelled,
                  fmt::format("interrupted while edge {} was out of reach", options_.name));
    }
    transport_->pause(std::min(retry_at_ - clock_->now(), kPatience));
  }
  return {};
}

bool RemoteVerifier::reachable() {
  if (!away_since_ || stream_ == Stream::kOpen || final_) {
    return true;
  }
  if (stream_ == Stream::kNone) {
    if (clock_->now() < retry_at_) {
      return false;
    }
    open_stream();
  }
  const auto message = transport_->receive(Seconds(0));
  WireResult<> opened;
  if (!message) {
    opened = refuse(message.error());
  } else if (message->has_value()) {
    const auto* answer = std::get_if<proto::Opened>(&**message);
    opened = answer != nullptr
                 ? take_opened(*answer)
                 : refuse(ErrorKind::kMalformed, "the edge gave an answer that fits no request");
  } else if (clock_->now() >= opened_by_) {
    opened = refuse(ErrorKind::kDeadline, "the stream was not opened in time");
  } else {
    return false;
  }
  if (opened) {
    return true;
  }
  if (auto ok = lost(opened.error()); !ok && !away_since_) {
    final_ = ok.error();
  }
  return final_.has_value();
}

void RemoteVerifier::found_again() {
  reconnect_.answered();
  if (!away_since_) {
    return;
  }
  const Seconds away = clock_->now() - *std::exchange(away_since_, std::nullopt);
  stats_.away += away;
  log_->info(fmt::format("edge {} is back after {:.1f} s", options_.name, away.value()));
}

RemoteStats RemoteVerifier::stats() const {
  RemoteStats stats = stats_;
  stats.away += away_since_ ? clock_->now() - *away_since_ : Seconds();
  return stats;
}

std::optional<proto::Closed> RemoteVerifier::close() {
  std::optional<proto::Closed> account;
  if (stream_ != Stream::kNone) {
    transport_->send(proto::Close{});
    const Seconds deadline = clock_->now() + options_.close_timeout;
    while (!account && clock_->now() < deadline) {
      const auto message = transport_->receive(deadline - clock_->now());
      if (!message) {
        break;
      }
      if (message->has_value() && std::holds_alternative<proto::Closed>(**message)) {
        account = std::get<proto::Closed>(**message);
      }
    }
    if (!account) {
      transport_->drop();
    }
    stream_ = Stream::kNone;
  }
  dialogue_.forget_session();
  return account;
}

}  // namespace gelato::device
