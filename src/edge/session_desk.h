// The life of sessions: open, resume, messages, lease, deadlines, drain, end.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "batch_runner.h"
#include "gelato/base/clock.h"
#include "gelato/base/log.h"
#include "gelato/edge/admission.h"
#include "gelato/edge/batch_scheduler.h"
#include "gelato/edge/metrics.h"
#include "gelato/edge/served_model.h"
#include "gelato/edge/session_table.h"

namespace gelato::edge {

// A burst that its device does not read pauses at this many messages; a stream that lets twice as
// many pile up reads too slowly to go on.
inline constexpr std::size_t kPausingBacklog = 32;

// One thread.
class SessionDesk {
 public:
  // All must outlive this.
  SessionDesk(const SchedulerOptions& options, SessionTable& table, BatchRunner& runner,
              ServedModel& model, const proto::Limits& limits, std::uint32_t cells,
              const Clock& clock, Log& log, Metrics& metrics);

  // A stream is there, and has to open a session soon.
  void attach(std::shared_ptr<Outbox> out, std::string client, Seconds arrived);
  void message(Outbox* out, proto::DeviceMessage message, Seconds arrived);
  // The stream broke.
  void lost(const Outbox* out);

  // Ends what has taken too long. While draining: ends every session that has nothing in progress.
  void tend();
  // When tend() may have something to do next.
  [[nodiscard]] Seconds next_deadline() const;

  // The sessions that wait for the target, fairly ordered; stale requests are answered on the way.
  void collect(std::vector<SessionRecord*>& waiting);
  // Tells the sessions whose text is in the cache by now that they are open.
  void announce();

  void fail(SessionRecord& record, const proto::WireError& error);
  void drain();
  // Draining, and no stream is left.
  [[nodiscard]] bool drained() const {
    return admission_.closed() && newcomers_.empty() && table_->records().empty();
  }

 private:
  struct Newcomer {
    std::shared_ptr<Outbox> out;
    std::string client;
    Seconds since;
  };
  void open(const Newcomer& newcomer, proto::Open open, Seconds arrived);
  proto::WireResult<> try_open(const Newcomer& newcomer, proto::Open& open, Seconds arrived);
  proto::WireResult<> try_resume(const Newcomer& newcomer, proto::Open& open, Seconds arrived);
  proto::WireResult<> enter(const std::string& client, std::uint64_t tokens);
  [[nodiscard]] proto::WireResult<> check_text(std::size_t tokens) const;
  [[nodiscard]] Session new_session(const proto::Open& open, std::vector<spec::Token> text) const;
  void begin(SessionRecord& record, const Newcomer& newcomer, Seconds arrived);
  template <class Request>
  void request(SessionRecord& record, Request request, Seconds arrived);
  void close(SessionRecord& record);
  void send(SessionRecord& record, std::vector<proto::EdgeMessage>& answers);
  void remove(SessionRecord& record);
  void tend(SessionRecord& record, Seconds now);
  [[nodiscard]] Seconds deadline(const SessionRecord& record) const;
  void log_error(const std::string& client, const proto::WireError& error);

  SchedulerOptions options_;
  SessionTable* table_;
  BatchRunner* runner_;
  ServedModel* model_;
  proto::Limits limits_;
  const Clock* clock_;
  Log* log_;
  Metrics* metrics_;
  Admission admission_;
  std::vector<Newcomer> newcomers_;  // streams without a session yet
  KvBudget::Owner owners_ = 0;
  std::vector<proto::EdgeMessage> answers_;
};

}  // namespace gelato::edge
