// The sessions of the edge, with and without a stream.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "gelato/base/units.h"
#include "gelato/edge/kv_budget.h"
#include "gelato/edge/outbox.h"
#include "gelato/edge/session.h"

namespace gelato::edge {

struct SessionRecord {
  proto::SessionId id{};
  KvBudget::Owner owner = 0;
  std::string client;
  std::shared_ptr<Outbox> out;  // null: the stream broke, the lease runs
  Session session;

  bool opening = true;       // Opened has not been sent
  Seconds opened_at{};       // the Open's arrival
  Seconds active_at{};       // the last message either way
  Seconds waiting_since{};   // the first request waits for a pass since then
  Seconds lease_until{};     // without a stream
  std::uint64_t ticket = 0;  // who has waited longer has the lower one

  std::uint32_t slot = KvBudget::kNoSlot;
  std::uint32_t reused = 0;  // tokens of the text that were in the cache at the Open
  Seconds reading{};         // passes that read the text since the Open
  Seconds writing{};         // passes of the running burst since its last message
  std::uint64_t passes = 0;
  Seconds busy{};
};

// Owns the records; their addresses are good until they are erased. Few enough for linear search.
// One thread.
class SessionTable {
 public:
  using Records = std::vector<std::unique_ptr<SessionRecord>>;

  SessionRecord& add(std::unique_ptr<SessionRecord> record);
  // Null if there is none.
  [[nodiscard]] SessionRecord* find(const proto::SessionId& id);
  [[nodiscard]] SessionRecord* find(const Outbox* out);
  // The session of `client` (empty: of anyone) that has been without a stream longest, or null.
  [[nodiscard]] SessionRecord* longest_without_stream(const std::string& client);
  void erase(const SessionRecord& record);

  [[nodiscard]] const Records& records() const { return records_; }
  // Later ones are higher.
  std::uint64_t next_ticket() { return ++tickets_; }
  // Other sessions with a stream that said or heard something within the last two seconds.
  [[nodiscard]] std::uint32_t others_active(const SessionRecord& record, Seconds now) const;
  // Tokens of all texts.
  [[nodiscard]] std::uint64_t tokens() const;

 private:
  Records records_;
  std::uint64_t tickets_ = 0;
};

}  // namespace gelato::edge
