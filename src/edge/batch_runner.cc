#include "batch_runner.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace gelato::edge {
namespace {

const proto::Draft kNothing{};  // a burst's next token is decided as an empty draft

proto::WireError internal(const Error& error) {
  return {proto::ErrorKind::kInternal, error.message, {}};
}

const proto::Draft& draft_of(const SessionRecord& record, bool burst) {
  return burst ? kNothing : record.session.draft();
}

}  // namespace

void order_fairly(std::vector<SessionRecord*>& waiting) {
  std::sort(waiting.begin(), waiting.end(),
            [](const auto* a, const auto* b) { return a->ticket < b->ticket; });
  std::unordered_map<std::string_view, std::size_t> seen;  // per client
  std::vector<std::pair<std::size_t, SessionRecord*>> ranked;
  ranked.reserve(waiting.size());
  for (SessionRecord* record : waiting) {
    ranked.emplace_back(seen[record->client]++, record);
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::transform(ranked.begin(), ranked.end(), waiting.begin(),
                 [](const auto& entry) { return entry.second; });
}

BatchRunner::BatchRunner(Target& target, SessionTable& table, const ServedModel& model,
                         const Clock& clock, Metrics& metrics, std::uint32_t chunk,
                         std::uint32_t kept_tokens)
    : target_(&target),
      table_(&table),
      model_(&model),
      clock_(&clock),
      metrics_(&metrics),
      chunk_(std::min(chunk, target.shape().batch_tokens)),
      shape_(target.shape()),
      cache_(target, kept_tokens) {
  metrics_->cells = shape_.cells;
}

std::size_t BatchRunner::missing(const SessionRecord& record) const {
  const std::size_t held = record.slot == KvBudget::kNoSlot ? 0 : cache_.length(record.slot);
  return record.session.text().size() - held;
}

// Those who have nothing to do, and those who have waited less long; so whoever has waited longest
// always gets its room, and nobody waits for ever.
std::function<bool(KvBudget::Owner)> BatchRunner::may_evict(const SessionRecord& record) const {
  return [this, &record](KvBudget::Owner owner) {
    const auto in_batch = std::any_of(batch_.begin(), batch_.begin() + std::ptrdiff_t(size_),
                                      [&](const Entry& e) { return e.record->owner == owner; });
    if (in_batch || owner == record.owner) {
      return false;
    }
    const auto& records = table_->records();
    const auto other = std::find_if(records.begin(), records.end(),
                                    [owner](const auto& r) { return r->owner == owner; });
    return other == records.end() || !(*other)->out ||
           ((*other)->session.waiting() == 0 && !(*other)->opening) ||
           (*other)->ticket > record.ticket;
  };
}

bool BatchRunner::verify(std::span<SessionRecord* const> waiting, std::vector<Failure>& failures) {
  fill_batch(waiting, failures);
  if (size_ == 0) {
    return false;
  }
  lay_out();
  const Seconds begin = clock_->now();
  if (auto ok = target_->decode(appends_); !ok) {
    fail_all(ok.error(), failures);
    return true;
  }
  failed_passes_ = 0;
  const Seconds took = clock_->now() - begin;
  Pass pass{.begin = begin};
  for (const Target::Append& append : appends_) {
    pass.tokens += append.tokens.size();
  }
  for (std::size_t i = 0; i < size_; ++i) {
    SessionRecord& record = *batch_[i].record;
    ++record.passes;
    record.busy += took / static_cast<double>(size_);
    if (auto ok = decide(batch_[i], pass); !ok) {
      cache_.forget(record.slot);
      failures.push_back({&record, internal(ok.error())});
    }
  }
  ++metrics_->passes;
  metrics_->pass_seconds.fetch_add((clock_->now() - begin).value());
  metrics_->verify_seconds.add((clock_->now() - begin).value());
  metrics_->pass_sessions.add(static_cast<double>(size_));
  report_cache();
  size_ = 0;
  return true;
}

void BatchRunner::fill_batch(std::span<SessionRecord* const> waiting,
                             std::vector<Failure>& failures) {
  size_ = 0;
  std::size_t tokens = 0;
  for (SessionRecord* record : waiting) {
    if (record->opening || record->slot == KvBudget::kNoSlot || missing(*record) != 1) {
      continue;
    }
    const bool burst = record->session.in_burst();
    const std::size_t rows = rows_needed(draft_of(*record, burst));
    if (tokens + rows > std::min(shape_.batch_tokens, shape_.max_rows)) {
      return;
    }
    const auto room =
        cache_.make_room(static_cast<std::uint32_t>(tokens + rows), may_evict(*record));
    if (!room) {
      failures.push_back({record, internal(room.error())});
    }
    if (!room || !*room) {
      continue;
    }
    tokens += rows;
    add_entry(*record);
  }
}

// The last token of the text, and the draft; its last token only if the row after it is wanted.
void BatchRunner::add_entry(SessionRecord& record) {
  if (size_ == batch_.size()) {
    batch_.emplace_back();
  }
  Entry& entry = batch_[size_++];
  entry.record = &record;
  entry.burst = record.session.in_burst();
  const proto::Draft& draft = draft_of(record, entry.burst);
  const auto tokens = draft.draft.tokens().first(rows_needed(draft) - 1);
  entry.input.assign(1, record.session.text().back());
  entry.input.insert(entry.input.end(), tokens.begin(), tokens.end());
}

// A processor fetches a text's cells ahead if they are evenly spread, so texts always come in the
// same order in a pass. Answers leave in the order of the batch.
void BatchRunner::lay_out() {
  by_slot_.clear();
  for (std::size_t i = 0; i < size_; ++i) {
    by_slot_.push_back(&batch_[i]);
  }
  std::sort(by_slot_.begin(), by_slot_.end(),
            [](const Entry* a, const Entry* b) { return a->record->slot < b->record->slot; });
  appends_.clear();
  for (Entry* entry : by_slot_) {
    entry->append = appends_.size();
    const auto rows = static_cast<std::uint32_t>(entry->input.size());
    appends_.push_back({entry->record->slot, entry->input, rows});
  }
}

Result<void> BatchRunner::decide(Entry& entry, const Pass& pass) {
  SessionRecord& record = *entry.record;
  cache_.extended(record.slot, entry.input);
  const auto base = static_cast<std::uint32_t>(record.session.text().size());
  const auto decision = decider_.decide(record.session.law(), draft_of(record, entry.burst), base,
                                        *target_, entry.append);
  if (!decision) {
    return fail(decision.error());
  }
  const proto::Timing timing{
      .queue = pass.begin - record.waiting_since,
      .verify = clock_->now() - pass.begin,
      .sessions = static_cast<std::uint32_t>(size_),
      .other_tokens = static_cast<std::uint32_t>(pass.tokens - entry.input.size()),
      .other_sessions = table_->others_active(record, pass.begin)};
  metrics_->queue_seconds.add(timing.queue.value());
  // What the pass appended and the decision did not keep goes; what it kept is part of the text.
  const std::uint32_t keep = base + decision->accepted;
  if (entry.burst) {
    answer_burst(record, *decision->next, timing);
  } else {
    answer_draft(record, *decision, timing);
  }
  turn_over(record);
  return cache_.truncate(record.slot, keep);
}

void BatchRunner::turn_over(SessionRecord& record) {
  record.waiting_since = clock_->now();
  record.ticket = table_->next_ticket();
}

void BatchRunner::answer_draft(SessionRecord& record, const Decision& decision,
                               const proto::Timing& timing) {
  ++metrics_->drafts;
  metrics_->drafted += record.session.draft().draft.size();
  metrics_->accepted += decision.accepted;
  // After a rejection in mode dssd the device draws the token.
  metrics_->committed += decision.accepted + (decision.next || !decision.row.empty() ? 1 : 0);
  metrics_->accepted_per_draft.add(decision.accepted);
  proto::Verdict verdict = record.session.decided(decision);
  verdict.timing = timing;
  record.active_at = clock_->now();
  record.out->send(std::move(verdict));
}

void BatchRunner::answer_burst(SessionRecord& record, spec::Token token, proto::Timing timing) {
  ++metrics_->committed;
  record.writing += timing.verify;
  auto tokens = record.session.wrote(token, model_->ends_text(token));
  if (!tokens) {
    return;
  }
  metrics_->bursts += tokens->end == proto::BurstEnd::kGoesOn ? 0 : 1;
  tokens->timing = timing;
  tokens->timing.verify = std::exchange(record.writing, {});
  record.active_at = clock_->now();
  record.out->send(*std::move(tokens));
}

bool BatchRunner::prefill(std::span<SessionRecord* const> waiting, std::vector<Failure>& failures) {
  for (SessionRecord* record : waiting) {
    if (in_cache(*record)) {
      continue;
    }
    const auto done = read_chunk(*record);
    if (!done) {
      ++failed_passes_;
      failures.push_back({record, internal(done.error())});
      return true;
    }
    if (*done) {
      return true;
    }
  }
  return false;
}

Result<bool> BatchRunner::read_chunk(SessionRecord& record) {
  const auto text = record.session.text();
  if (record.slot == KvBudget::kNoSlot) {
    const auto slot = cache_.acquire(record.owner, record.client, text);
    if (!slot) {
      return fail(slot.error());
    }
    record.slot = *slot;
    if (record.slot == KvBudget::kNoSlot) {
      return false;
    }
    record.reused = cache_.length(record.slot);
    metrics_->reused_tokens += record.reused;
    if (in_cache(record)) {
      return true;
    }
  }
  const auto chunk = text.subspan(cache_.length(record.slot))
                         .first(std::min<std::size_t>(chunk_, missing(record) - 1));
  auto room = cache_.make_room(static_cast<std::uint32_t>(chunk.size()), may_evict(record));
  if (!room || !*room) {
    return room;
  }
  const Seconds begin = clock_->now();
  const Target::Append append{record.slot, chunk, 0};
  if (auto ok = target_->decode({&append, 1}); !ok) {
    cache_.forget(record.slot);
    return fail(ok.error());
  }
  failed_passes_ = 0;
  cache_.extended(record.slot, chunk);
  const Seconds took = clock_->now() - begin;
  record.reading += took;
  record.busy += took;
  ++record.passes;
  ++metrics_->prefill_passes;
  metrics_->prefill_seconds.fetch_add(took.value());
  metrics_->prompt_tokens += chunk.size();
  report_cache();
  return true;
}

void BatchRunner::report_cache() {
  metrics_->cells_used = shape_.cells - target_->free_cells();
  metrics_->evictions = cache_.evictions();
}

void BatchRunner::fail_all(const Error& error, std::vector<Failure>& failures) {
  ++failed_passes_;
  for (std::size_t i = 0; i < size_; ++i) {
    cache_.forget(batch_[i].record->slot);
    failures.push_back({batch_[i].record, internal(error)});
  }
  size_ = 0;
}

}  // namespace gelato::edge
