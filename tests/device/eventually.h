// For what other threads and processes do, which has no event to wait for.
#pragma once

#include <functional>
#include <thread>

#include "gelato/base/clock.h"

namespace gelato::device {

// Waits for something that other threads do in no time; only a failing test waits long.
inline bool eventually(const std::function<bool()>& condition) {
  const SteadyClock clock;
  const Seconds deadline = clock.now() + Seconds(20);
  while (!condition() && clock.now() < deadline) {
    std::this_thread::yield();
  }
  return condition();
}

}  // namespace gelato::device
