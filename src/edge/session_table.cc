#include "gelato/edge/session_table.h"

#include <algorithm>
#include <utility>

namespace gelato::edge {
namespace {

template <class Test>
SessionRecord* find_if(const SessionTable::Records& records, Test test) {
  const auto at =
      std::find_if(records.begin(), records.end(), [&](const auto& r) { return test(*r); });
  return at == records.end() ? nullptr : at->get();
}

}  // namespace

SessionRecord& SessionTable::add(std::unique_ptr<SessionRecord> record) {
  return *records_.emplace_back(std::move(record));
}

SessionRecord* SessionTable::find(const proto::SessionId& id) {
  return find_if(records_, [&](const SessionRecord& r) { return r.id == id; });
}

SessionRecord* SessionTable::find(const Outbox* out) {
  return find_if(records_, [&](const SessionRecord& r) { return r.out.get() == out; });
}

SessionRecord* SessionTable::longest_without_stream(const std::string& client) {
  SessionRecord* best = nullptr;
  for (const auto& record : records_) {
    if (!record->out && (client.empty() || record->client == client) &&
        (best == nullptr || record->lease_until < best->lease_until)) {
      best = record.get();
    }
  }
  return best;
}

void SessionTable::erase(const SessionRecord& record) {
  std::erase_if(records_, [&](const auto& r) { return r.get() == &record; });
}

std::uint32_t SessionTable::others_active(const SessionRecord& record, Seconds now) const {
  constexpr Seconds kActive(2.0);
  const auto uses = [&](const auto& other) {
    return other.get() != &record && other->out && now - other->active_at < kActive;
  };
  return static_cast<std::uint32_t>(std::count_if(records_.begin(), records_.end(), uses));
}

std::uint64_t SessionTable::tokens() const {
  std::uint64_t total = 0;
  for (const auto& record : records_) {
    total += record->session.text().size();
  }
  return total;
}

}  // namespace gelato::edge
