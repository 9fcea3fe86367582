// When to try an edge again, and when to give up: pure decisions on failures and times.
#pragma once

#include <cstdint>

#include "gelato/base/rng.h"
#include "gelato/base/units.h"
#include "gelato/proto/error.h"

namespace gelato::device {

// What can be done about a failed stream; the table of docs/protocol.md, "Errors".
enum class Recovery : std::uint8_t {
  kNone,    // the two sides do not fit, or one has a bug: trying again changes nothing
  kResume,  // the edge or the link is away: open again, with the session if there is one
  kAnew,    // the edge does not have the session: open at once with all tokens
};
Recovery recovery_of(proto::ErrorKind kind);

// Whether the failure only says that nobody is there, now, to answer: such attempts go on until the
// time is up. Other failures are answers, and a few of them in a row are enough.
bool is_absence(proto::ErrorKind kind);

// The shape of gRPC's connection backoff (doc/connection-backoff.md: factor 1.6, jitter 20 %), but
// quicker: a person is waiting, and a device talks to one edge. The first attempt comes at once, up
// to a jitter that keeps the devices of a restarted edge apart.
struct ReconnectOptions {
  Seconds first{0.2};      // longest wait before the first attempt, and the base of the others
  Seconds longest{5.0};    // a link that comes back is noticed within this
  double growth = 1.6;     // of the wait from attempt to attempt
  double jitter = 0.2;     // a wait is scaled by a factor uniform on 1 +- jitter
  Seconds give_up{300.0};  // after the first failure, without an answer since
  std::uint32_t most_faults = 5;  // failures in a row that are not absences
};

// One object per generation or longer. Not thread-safe.
class Reconnect {
 public:
  Reconnect(const ReconnectOptions& options, Rng rng) : options_(options), rng_(rng) {}

  struct Step {
    Recovery recovery = Recovery::kNone;  // kNone: give up
    Seconds at;                           // when to open again
  };
  // A stream or an attempt to open one failed at `now`. An edge's own retry_after is respected.
  Step failed(const proto::WireError& error, Seconds now);
  // The edge answered a request: all is well.
  void answered();

  // Attempts since the edge answered last.
  [[nodiscard]] std::uint32_t attempts() const { return attempts_; }

 private:
  [[nodiscard]] Seconds next_wait();

  ReconnectOptions options_;
  Rng rng_;
  std::uint32_t attempts_ = 0;
  std::uint32_t faults_ = 0;
  Seconds first_failure_;
};

}  // namespace gelato::device
