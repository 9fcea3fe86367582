#include "session_desk.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <type_traits>
#include <utility>

namespace gelato::edge {

using proto::ErrorKind;
using proto::refuse;
using proto::WireError;
using proto::WireResult;

namespace {

// Enough to follow a session through the log, not enough to resume it.
std::string short_name(const proto::SessionId& id) {
  return fmt::format("{:02x}{:02x}{:02x}{:02x}", id[0], id[1], id[2], id[3]);
}

WireError draining() {
  return {ErrorKind::kDraining, "this edge is shutting down; go on at another one", Seconds(1.0)};
}

}  // namespace

SessionDesk::SessionDesk(const SchedulerOptions& options, SessionTable& table, BatchRunner& runner,
                         ServedModel& model, const proto::Limits& limits, std::uint32_t cells,
                         const Clock& clock, Log& log, Metrics& metrics)
    : options_(options),
      table_(&table),
      runner_(&runner),
      model_(&model),
      limits_(limits),
      clock_(&clock),
      log_(&log),
      metrics_(&metrics),
      admission_(options.admission, cells) {}

void SessionDesk::attach(std::shared_ptr<Outbox> out, std::string client, Seconds arrived) {
  ++metrics_->streams;
  newcomers_.push_back({std::move(out), std::move(client), arrived});
}

void SessionDesk::message(Outbox* out, proto::DeviceMessage message, Seconds arrived) {
  const auto newcomer = std::find_if(newcomers_.begin(), newcomers_.end(),
                                     [out](const Newcomer& n) { return n.out.get() == out; });
  if (newcomer != newcomers_.end()) {
    if (auto* first = std::get_if<proto::Open>(&message)) {
      const Newcomer who = std::move(*newcomer);
      newcomers_.erase(newcomer);
      open(who, std::move(*first), arrived);
    }
    return;
  }
  SessionRecord* record = table_->find(out);
  if (record == nullptr) {
    return;  // it has been ended; the device does not know yet
  }
  record->active_at = clock_->now();
  std::visit(
      [&](auto&& m) {
        using M = std::decay_t<decltype(m)>;
        if constexpr (std::is_same_v<M, proto::Draft> || std::is_same_v<M, proto::Burst>) {
          request(*record, std::forward<decltype(m)>(m), arrived);
        } else if constexpr (std::is_same_v<M, proto::Cancel>) {
          answers_.clear();
          record->session.cancel(answers_);
          send(*record, answers_);
        } else if constexpr (std::is_same_v<M, proto::Close>) {
          close(*record);
        }
      },
      std::move(message));
}

template <class Request>
void SessionDesk::request(SessionRecord& record, Request request, Seconds arrived) {
  if (record.session.waiting() == 0) {
    record.waiting_since = arrived;
    record.ticket = table_->next_ticket();
  }
  if (auto ok = record.session.receive(std::move(request)); !ok) {
    fail(record, ok.error());
  }
}

void SessionDesk::close(SessionRecord& record) {
  ++metrics_->closed;
  const Session& session = record.session;
  record.out->send(proto::Closed{.committed = static_cast<std::uint32_t>(session.text().size()),
                                 .drafted = session.drafted(),
                                 .accepted = session.accepted(),
                                 .stale = session.stale(),
                                 .passes = record.passes,
                                 .busy = record.busy});
  record.out->finish({});
  log_->info(
      fmt::format("event=close session={} client={} tokens={} drafted={} accepted={} "
                  "passes={} busy_s={:.4f}",
                  short_name(record.id), record.client, session.text().size(), session.drafted(),
                  session.accepted(), record.passes, record.busy.value()));
  remove(record);
}

void SessionDesk::lost(const Outbox* out) {
  --metrics_->streams;
  std::erase_if(newcomers_, [out](const Newcomer& n) { return n.out.get() == out; });
  if (SessionRecord* record = table_->find(out)) {
    record->out = nullptr;
    record->lease_until = clock_->now() + options_.lease;
    log_->info(fmt::format("event=lost session={} client={} tokens={}", short_name(record->id),
                           record->client, record->session.text().size()));
  }
}

void SessionDesk::open(const Newcomer& newcomer, proto::Open open, Seconds arrived) {
  auto ok = model_->check(open);
  if (ok && admission_.closed()) {
    ok = refuse(draining());
  }
  if (ok) {
    ok = open.resume ? try_resume(newcomer, open, arrived) : try_open(newcomer, open, arrived);
  }
  if (!ok) {
    log_error(newcomer.client, ok.error());
    newcomer.out->finish(ok.error());
  }
}

WireResult<> SessionDesk::try_open(const Newcomer& newcomer, proto::Open& open, Seconds arrived) {
  if (auto ok = check_text(open.tokens.size()); !ok) {
    return ok;
  }
  const auto id = options_.make_id();
  if (!id) {
    return refuse(ErrorKind::kInternal, id.error().message);
  }
  if (auto ok = enter(newcomer.client, open.tokens.size()); !ok) {
    return ok;
  }
  SessionRecord& record = table_->add(std::make_unique<SessionRecord>(
      SessionRecord{.id = *id,
                    .owner = ++owners_,
                    .client = newcomer.client,
                    .out = nullptr,
                    .session = new_session(open, std::move(open.tokens))}));
  ++metrics_->opened;
  metrics_->sessions = admission_.sessions();
  begin(record, newcomer, arrived);
  return {};
}

WireResult<> SessionDesk::try_resume(const Newcomer& newcomer, proto::Open& open, Seconds arrived) {
  const proto::Resume& resume = *open.resume;
  SessionRecord* record = table_->find(resume.session);
  const auto text = record == nullptr ? std::span<const spec::Token>() : record->session.text();
  if (record == nullptr || record->client != newcomer.client || resume.count > text.size() ||
      proto::text_hash(text.first(resume.count)) != resume.hash) {
    return refuse(ErrorKind::kUnknownSession,
                  "the edge does not have this session or its text; open it with all its tokens");
  }
  if (auto ok = check_text(resume.count + open.tokens.size()); !ok) {
    return ok;
  }
  if (record->out) {
    record->out->finish(WireError{ErrorKind::kReplaced, "another stream resumed the session", {}});
  }
  std::vector<spec::Token> kept(text.begin(), text.begin() + resume.count);
  kept.insert(kept.end(), open.tokens.begin(), open.tokens.end());
  record->session = new_session(open, std::move(kept));
  record->slot = KvBudget::kNoSlot;  // its slot is found again by its owner, and cut to the text
  ++metrics_->resumed;
  begin(*record, newcomer, arrived);
  return {};
}

// A session whose device is away makes room for one whose device is here.
WireResult<> SessionDesk::enter(const std::string& client, std::uint64_t tokens) {
  for (;;) {
    auto ok = admission_.enter(client, table_->tokens(), tokens);
    if (ok || ok.error().kind != ErrorKind::kBusy) {
      return ok;
    }
    SessionRecord* away = table_->longest_without_stream(client);
    if (away == nullptr) {
      away = table_->longest_without_stream({});
    }
    if (away == nullptr) {
      return ok;
    }
    remove(*away);
  }
}

WireResult<> SessionDesk::check_text(std::size_t tokens) const {
  if (tokens == 0) {
    return refuse(ErrorKind::kMalformed, "a text begins with at least one token");
  }
  if (tokens >= limits_.context_tokens) {
    return refuse(ErrorKind::kContextFull,
                  fmt::format("the text has {} tokens, but a session's context of {} must hold it "
                              "and at least one more",
                              tokens, limits_.context_tokens));
  }
  return {};
}

Session SessionDesk::new_session(const proto::Open& open, std::vector<spec::Token> text) const {
  const Law law{.mode = open.mode,
                .sampler = {.temperature = open.sampling.temperature,
                            .top_k = open.sampling.top_k,
                            .top_p = open.sampling.top_p,
                            .min_p = open.sampling.min_p},
                .seed = open.seed};
  return {law, open.n_vocab, limits_.context_tokens, std::move(text)};
}

void SessionDesk::begin(SessionRecord& record, const Newcomer& newcomer, Seconds arrived) {
  const Seconds now = clock_->now();
  record.out = newcomer.out;
  record.opening = true;
  record.opened_at = arrived;
  record.active_at = now;
  record.waiting_since = now;
  record.ticket = table_->next_ticket();
  record.reading = {};
  record.writing = {};
  log_->info(fmt::format("event=open session={} client={} mode={} tokens={}", short_name(record.id),
                         record.client, to_string(record.session.law().mode),
                         record.session.text().size()));
}

void SessionDesk::send(SessionRecord& record, std::vector<proto::EdgeMessage>& answers) {
  for (const proto::EdgeMessage& answer : answers) {
    metrics_->stale += std::holds_alternative<proto::Stale>(answer) ? 1 : 0;
    metrics_->bursts += std::holds_alternative<proto::Tokens>(answer) ? 1 : 0;
    record.out->send(answer);
    record.active_at = clock_->now();
  }
  answers.clear();
}

void SessionDesk::collect(std::vector<SessionRecord*>& waiting) {
  std::vector<std::pair<SessionRecord*, WireError>> broken;
  waiting.clear();
  for (const auto& record : table_->records()) {
    if (!record->out) {
      continue;
    }
    if (record->opening) {
      waiting.push_back(record.get());
      continue;
    }
    answers_.clear();
    const auto work = record->session.next(answers_);
    send(*record, answers_);
    if (!work) {
      broken.emplace_back(record.get(), work.error());
    } else if (*work == Session::Work::kDraft ||
               (*work == Session::Work::kBurst && record->out->backlog() < kPausingBacklog)) {
      waiting.push_back(record.get());
    }
  }
  for (const auto& [record, error] : broken) {
    fail(*record, error);
  }
  metrics_->waiting = static_cast<std::int64_t>(waiting.size());
  order_fairly(waiting);
}

void SessionDesk::announce() {
  for (const auto& record : table_->records()) {
    if (!record->out || !record->opening || !runner_->in_cache(*record)) {
      continue;
    }
    const Seconds now = clock_->now();
    record->opening = false;
    record->active_at = now;
    record->waiting_since = now;
    record->out->send(
        proto::Opened{.session = record->id,
                      .protocol = proto::kProtocol,
                      .committed = static_cast<std::uint32_t>(record->session.text().size()),
                      .reused = record->reused,
                      .limits = limits_,
                      .timing = {.queue = now - record->opened_at - record->reading,
                                 .verify = record->reading,
                                 .sessions = 1,
                                 .other_sessions = table_->others_active(*record, now)}});
  }
}

void SessionDesk::fail(SessionRecord& record, const WireError& error) {
  log_error(record.client, error);
  if (record.out) {
    record.out->finish(error);
  }
  remove(record);
}

void SessionDesk::log_error(const std::string& client, const WireError& error) {
  metrics_->count(error.kind);
  log_->warn(fmt::format("event=error client={} kind={} message=\"{}\"", client,
                         to_string(error.kind), error.message));
}

void SessionDesk::remove(SessionRecord& record) {
  runner_->release(record);
  admission_.leave(record.client);
  metrics_->sessions = admission_.sessions();
  table_->erase(record);
}

void SessionDesk::drain() {
  admission_.close();
  metrics_->draining = 1;
  log_->info(fmt::format("event=drain sessions={}", admission_.sessions()));
}

void SessionDesk::tend() {
  const Seconds now = clock_->now();
  const bool closing = admission_.closed();
  std::erase_if(newcomers_, [&](const Newcomer& newcomer) {
    if (!closing && now < newcomer.since + options_.opening) {
      return false;
    }
    const WireError error =
        closing ? draining() : WireError{ErrorKind::kIdle, "the stream did not open a session", {}};
    log_error(newcomer.client, error);
    newcomer.out->finish(error);
    return true;
  });
  std::vector<SessionRecord*> records;
  for (const auto& record : table_->records()) {
    records.push_back(record.get());
  }
  for (SessionRecord* record : records) {
    tend(*record, now);
  }
}

void SessionDesk::tend(SessionRecord& record, Seconds now) {
  if (!record.out) {
    if (admission_.closed() || now >= record.lease_until) {
      ++metrics_->leases_expired;
      log_->info(fmt::format("event=lease_expired session={} client={}", short_name(record.id),
                             record.client));
      remove(record);
    }
    return;
  }
  if (admission_.closed()) {
    answers_.clear();
    if (record.session.in_burst()) {
      record.session.cancel(answers_);
      send(record, answers_);
    }
    if (record.opening || record.session.waiting() == 0) {
      fail(record, draining());
      return;
    }
  }
  if (record.out->backlog() > 2 * kPausingBacklog) {
    fail(record, {ErrorKind::kIdle, "the device reads its answers too slowly", {}});
  } else if (now >= deadline(record)) {
    const bool waits = record.session.waiting() > 0 && record.out->backlog() < kPausingBacklog;
    fail(record, waits ? WireError{ErrorKind::kDeadline,
                                   fmt::format("a request has waited {:.0f} s for the target; the "
                                               "edge is overloaded",
                                               options_.patience.value()),
                                   Seconds(1.0)}
                       : WireError{ErrorKind::kIdle,
                                   fmt::format("nothing has been sent on this stream for {:.0f} s",
                                               options_.idle.value()),
                                   {}});
  }
}

// Of a session with a stream: a request waits for the target only so long, a device may be silent
// (or not read what it asked for) only so long. Reading a prompt takes what it takes.
Seconds SessionDesk::deadline(const SessionRecord& record) const {
  if (record.opening) {
    return Seconds(std::numeric_limits<double>::infinity());
  }
  const bool waits = record.session.waiting() > 0 && record.out->backlog() < kPausingBacklog;
  return waits ? record.waiting_since + options_.patience : record.active_at + options_.idle;
}

Seconds SessionDesk::next_deadline() const {
  Seconds next = clock_->now() + options_.idle;
  for (const Newcomer& newcomer : newcomers_) {
    next = std::min(next, newcomer.since + options_.opening);
  }
  for (const auto& record : table_->records()) {
    next = std::min(next, record->out ? deadline(*record) : record->lease_until);
  }
  return next;
}

}  // namespace gelato::edge
