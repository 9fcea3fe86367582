#include "gelato/base/clock.h"

#include <chrono>

namespace gelato {

Seconds SteadyClock::now() const {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return Seconds(std::chrono::duration<double>(since).count());
}

}  // namespace gelato
