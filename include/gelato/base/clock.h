// Time as a dependency: whatever waits or measures takes a Clock&, so that tests and the simulator
// run on a clock they move themselves.
#pragma once

#include "gelato/base/units.h"

namespace gelato {

// Monotonic time since an arbitrary origin. Implementations are safe to read from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Seconds now() const = 0;
};

// The machine's monotonic clock (CLOCK_MONOTONIC), nanosecond resolution.
class SteadyClock final : public Clock {
 public:
  [[nodiscard]] Seconds now() const override;
};

// Starts at zero and moves only when told to. Not synchronised: one thread.
class VirtualClock final : public Clock {
 public:
  [[nodiscard]] Seconds now() const override { return now_; }
  void advance(Seconds by) { now_ += by; }

 private:
  Seconds now_;
};

}  // namespace gelato
