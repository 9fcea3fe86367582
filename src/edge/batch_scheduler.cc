#include "gelato/edge/batch_scheduler.h"

#include <fmt/format.h>
#include <openssl/rand.h>

#include <algorithm>
#include <utility>

#include "batch_runner.h"
#include "mailbox.h"
#include "session_desk.h"

namespace gelato::edge {
namespace {

// After so many failed passes in a row it is the model and not one session's luck.
constexpr std::uint32_t kBrokenAfter = 3;

Result<proto::SessionId> random_id() {
  proto::SessionId id{};
  if (RAND_bytes(id.data(), static_cast<int>(id.size())) != 1) {
    return fail(ErrorCode::kInternal, "this machine has no random numbers to name a session with");
  }
  return id;
}

SchedulerOptions completed(SchedulerOptions options) {
  if (!options.make_id) {
    options.make_id = random_id;
  }
  return options;
}

}  // namespace

struct BatchScheduler::Parts {
  Parts(Target& target, ServedModel& model, const SchedulerOptions& options,
        const proto::Limits& limits, const Clock& clock, Log& log, Metrics& metrics)
      : on_health(options.on_health),
        runner(target, table, model, clock, metrics, options.prefill_chunk, options.kept_tokens),
        desk(options, table, runner, model, limits, target.shape().cells, clock, log, metrics) {}

  void take_events();
  void fail_sessions();
  void report_health();

  std::function<void(bool)> on_health;
  Mailbox mailbox;
  SessionTable table;
  BatchRunner runner;
  SessionDesk desk;
  bool draining = false;
  bool healthy = true;
  // Reused from turn to turn.
  std::vector<Event> events;
  std::vector<SessionRecord*> waiting;
  std::vector<Failure> failures;
};

std::uint32_t context_tokens(const SchedulerOptions& options, const TargetShape& shape) {
  return options.context_tokens == 0 ? shape.cells : std::min(options.context_tokens, shape.cells);
}

Result<std::unique_ptr<BatchScheduler>> BatchScheduler::create(Target& target, ServedModel& model,
                                                               const SchedulerOptions& options,
                                                               const Clock& clock, Log& log,
                                                               Metrics& metrics) {
  const TargetShape shape = target.shape();
  if (std::min(shape.batch_tokens, shape.max_rows) < proto::kMaxDraft + 1) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("a batch of {} tokens and {} rows does not hold the longest draft; it "
                            "needs {} of both",
                            shape.batch_tokens, shape.max_rows, proto::kMaxDraft + 1));
  }
  if (options.admission.sessions == 0 || options.admission.sessions >= shape.sequences) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} sessions need more than {} sequences of the target's cache",
                            options.admission.sessions, shape.sequences));
  }
  if (options.prefill_chunk == 0 || context_tokens(options, shape) < 2) {
    return fail(ErrorCode::kInvalidArgument,
                "a session needs a context of two tokens and a prefill chunk of one at least");
  }
  return std::unique_ptr<BatchScheduler>(
      new BatchScheduler(target, model, options, clock, log, metrics));
}

BatchScheduler::BatchScheduler(Target& target, ServedModel& model, const SchedulerOptions& options,
                               const Clock& clock, Log& log, Metrics& metrics)
    : limits_{.context_tokens = edge::context_tokens(options, target.shape()),
              .lease = options.lease},
      clock_(&clock),
      parts_(std::make_unique<Parts>(target, model, completed(options), limits_, clock, log,
                                     metrics)) {}

BatchScheduler::~BatchScheduler() = default;

void BatchScheduler::attach(std::shared_ptr<Outbox> out, std::string client) {
  parts_->mailbox.put({std::move(out), clock_->now(), Attached{std::move(client)}});
}

void BatchScheduler::deliver(std::shared_ptr<Outbox> out, proto::DeviceMessage message) {
  parts_->mailbox.put({std::move(out), clock_->now(), std::move(message)});
}

void BatchScheduler::lost(std::shared_ptr<Outbox> out) {
  parts_->mailbox.put({std::move(out), clock_->now(), Lost{}});
}

void BatchScheduler::drain() { parts_->mailbox.drain(); }
void BatchScheduler::wake() { parts_->mailbox.wake(); }
void BatchScheduler::stop() { parts_->mailbox.stop(); }

void BatchScheduler::run() {
  while (!parts_->mailbox.stopped()) {
    if (!step()) {
      const Seconds left = parts_->desk.next_deadline() - clock_->now();
      parts_->mailbox.wait(std::max(left, Seconds()));
    }
  }
}

bool BatchScheduler::step() {
  Parts& p = *parts_;
  p.take_events();
  p.desk.tend();
  p.desk.collect(p.waiting);
  bool worked = p.runner.verify(p.waiting, p.failures);
  p.fail_sessions();
  worked = p.runner.prefill(p.waiting, p.failures) || worked;
  p.fail_sessions();
  p.desk.announce();
  p.report_health();
  drained_ = p.desk.drained();
  return worked;
}

void BatchScheduler::Parts::take_events() {
  events.clear();
  mailbox.take(events);
  for (Event& event : events) {
    if (auto* attached = std::get_if<Attached>(&event.what)) {
      desk.attach(event.out, std::move(attached->client), event.arrived);
    } else if (auto* message = std::get_if<proto::DeviceMessage>(&event.what)) {
      desk.message(event.out.get(), std::move(*message), event.arrived);
      event.out->consumed();
    } else {
      desk.lost(event.out.get());
    }
  }
  if (!draining && mailbox.draining()) {
    draining = true;
    desk.drain();
  }
}

void BatchScheduler::Parts::report_health() {
  const bool now = runner.failed_passes() < kBrokenAfter;
  if (now != std::exchange(healthy, now) && on_health) {
    on_health(now);
  }
}

void BatchScheduler::Parts::fail_sessions() {
  for (const Failure& failure : failures) {
    std::erase(waiting, failure.record);
    desk.fail(*failure.record, failure.error);
  }
  failures.clear();
}

}  // namespace gelato::edge
