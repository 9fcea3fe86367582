// The passes of the target: drafts of many sessions in one batch, prompts in chunks between them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "gelato/base/clock.h"
#include "gelato/edge/decider.h"
#include "gelato/edge/kv_budget.h"
#include "gelato/edge/metrics.h"
#include "gelato/edge/served_model.h"
#include "gelato/edge/session_table.h"
#include "gelato/edge/target.h"

namespace gelato::edge {

// Who is served first: the longest-waiting session of each client (by ticket), then the second of
// each, and so on. So a client with many sessions does not push out one with few, and whoever has
// waited longest is in the next batch.
void order_fairly(std::vector<SessionRecord*>& waiting);

// A session that cannot go on, and why.
struct Failure {
  SessionRecord* record = nullptr;
  proto::WireError error{};
};

// One thread.
class BatchRunner {
 public:
  // All must outlive this. `chunk`: most prompt tokens of one prefill pass; `kept_tokens`: see
  // KvBudget.
  BatchRunner(Target& target, SessionTable& table, const ServedModel& model, const Clock& clock,
              Metrics& metrics, std::uint32_t chunk, std::uint32_t kept_tokens);

  // One pass over the sessions of `waiting` that can be decided now, as many as fit one batch, in
  // that order; sends their answers. False if there is none.
  bool verify(std::span<SessionRecord* const> waiting, std::vector<Failure>& failures);
  // One pass over the next chunk of the first session of `waiting` whose text is not in the cache.
  // False if there is none, or no room for it now.
  bool prefill(std::span<SessionRecord* const> waiting, std::vector<Failure>& failures);

  // Whether the session's text is in the cache but for its last token.
  [[nodiscard]] bool in_cache(const SessionRecord& record) const { return missing(record) <= 1; }
  // The session is gone.
  void release(const SessionRecord& record) { cache_.release(record.owner); }
  // Passes in a row that the model has failed.
  [[nodiscard]] std::uint32_t failed_passes() const { return failed_passes_; }

 private:
  struct Entry {
    SessionRecord* record = nullptr;
    bool burst = false;
    std::vector<spec::Token> input;  // what the pass appends, and a row of logits for each
    std::size_t append = 0;          // its number in the pass
  };
  struct Pass {
    Seconds begin;
    std::size_t tokens = 0;  // that it read
  };
  [[nodiscard]] std::size_t missing(const SessionRecord& record) const;
  [[nodiscard]] std::function<bool(KvBudget::Owner)> may_evict(const SessionRecord& record) const;
  void fill_batch(std::span<SessionRecord* const> waiting, std::vector<Failure>& failures);
  void add_entry(SessionRecord& record);
  void lay_out();
  Result<void> decide(Entry& entry, const Pass& pass);
  void answer_draft(SessionRecord& record, const Decision& decision, const proto::Timing& timing);
  void answer_burst(SessionRecord& record, spec::Token token, proto::Timing timing);
  Result<bool> read_chunk(SessionRecord& record);
  void turn_over(SessionRecord& record);
  void report_cache();
  void fail_all(const Error& error, std::vector<Failure>& failures);

  Target* target_;
  SessionTable* table_;
  const ServedModel* model_;
  const Clock* clock_;
  Metrics* metrics_;
  std::uint32_t chunk_;
  TargetShape shape_;
  KvBudget cache_;
  Decider decider_;
  std::uint32_t failed_passes_ = 0;

  // The batch; entries beyond size_ are kept for their storage.
  std::vector<Entry> batch_;
  std::size_t size_ = 0;
  std::vector<Entry*> by_slot_;
  std::vector<Target::Append> appends_;
};

}  // namespace gelato::edge
