// The model thread: takes what devices send out of a mailbox, lets the target decide on all
// waiting drafts at once, reads prompts in chunks in between.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "gelato/base/clock.h"
#include "gelato/base/log.h"
#include "gelato/edge/admission.h"
#include "gelato/edge/metrics.h"
#include "gelato/edge/outbox.h"
#include "gelato/edge/served_model.h"
#include "gelato/edge/target.h"
#include "gelato/proto/messages.h"

namespace gelato::edge {

struct SchedulerOptions {
  AdmissionLimits admission;
  // Of one session; 0: as many as the cache holds. Never more than that.
  std::uint32_t context_tokens = 0;
  // Prompt tokens of one prefill pass, and so the longest that a verdict waits for a prompt. On a
  // CPU a pass of 63 tokens, which llama.cpp computes at once, takes about as long as ten
  // verification passes.
  std::uint32_t prefill_chunk = 63;
  // Tokens that texts without a session hold together. More saves reading of prompts, and costs
  // time in every pass: 10 000 make one of 160 tokens of the bundled target 1.8 times as long.
  std::uint32_t kept_tokens = 512;
  Seconds lease = Seconds(30.0);     // a session without a stream
  Seconds idle = Seconds(300.0);     // a stream on which nothing is sent
  Seconds opening = Seconds(10.0);   // a stream without Open
  Seconds patience = Seconds(30.0);  // a request without a pass
  // Makes a session's name; empty: from the operating system's random numbers.
  std::function<Result<proto::SessionId>()> make_id;
  // Told from the model thread when the model has failed several passes in a row (false), and when
  // it works again (true); may be empty.
  std::function<void(bool)> on_health;
};

// Longest text of one session under `options`.
std::uint32_t context_tokens(const SchedulerOptions& options, const TargetShape& shape);

class BatchScheduler {
 public:
  // All must outlive this. A target needs room for the longest draft in one batch, and more
  // sequences than sessions are admitted.
  // Errors: kInvalidArgument, naming what does not fit.
  static Result<std::unique_ptr<BatchScheduler>> create(Target& target, ServedModel& model,
                                                        const SchedulerOptions& options,
                                                        const Clock& clock, Log& log,
                                                        Metrics& metrics);
  ~BatchScheduler();
  BatchScheduler(const BatchScheduler&) = delete;
  BatchScheduler& operator=(const BatchScheduler&) = delete;

  // From any thread; never block. The first word about a stream is attach(), the last lost().
  void attach(std::shared_ptr<Outbox> out, std::string client);
  void deliver(std::shared_ptr<Outbox> out, proto::DeviceMessage message);
  void lost(std::shared_ptr<Outbox> out);
  // Admits nobody from now on, and ends every session as soon as what it has sent is decided.
  void drain();
  // A device has read what was piling up.
  void wake();
  // Makes run() return.
  void stop();

  // The model thread: works until stop().
  void run();
  // One turn of it: the mailbox, deadlines, one verification pass, one prefill pass. False if there
  // was no pass to make. For tests, instead of run().
  bool step();

  // From any thread. Draining, and no session or stream is left.
  [[nodiscard]] bool drained() const { return drained_; }
  [[nodiscard]] const proto::Limits& limits() const { return limits_; }

 private:
  struct Parts;
  BatchScheduler(Target& target, ServedModel& model, const SchedulerOptions& options,
                 const Clock& clock, Log& log, Metrics& metrics);

  proto::Limits limits_;
  const Clock* clock_;
  std::unique_ptr<Parts> parts_;
  std::atomic<bool> drained_{false};
};

}  // namespace gelato::edge
