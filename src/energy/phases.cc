#include "gelato/energy/phases.h"

#include <algorithm>
#include <cmath>

namespace gelato::energy {
namespace {

bool is_amount(double value) { return std::isfinite(value) && value >= 0.0; }

// A transfer is never taken to last longer (30 years), so that sums stay finite whatever the rate.
constexpr Seconds kForever = Seconds(1e9);

// 0 where the rate is not known.
Seconds air_time(Bits bits, BitsPerSecond rate) {
  return rate > BitsPerSecond(0) ? std::min(bits / rate, kForever) : Seconds(0);
}

}  // namespace

Result<PhaseTimes> phase_times(const RoundUsage& usage) {
  for (const double value :
       {usage.elapsed.value(), usage.drafting.value(), usage.sent.value(), usage.received.value(),
        usage.uplink.value(), usage.downlink.value()}) {
    if (!is_amount(value)) {
      return fail(ErrorCode::kInvalidArgument,
                  "a round's times, bits and rates must be finite and not negative");
    }
  }
  PhaseTimes times;
  times.draft = std::min(usage.drafting, usage.elapsed);
  const Seconds rest = usage.elapsed - times.draft;
  times.tx = air_time(usage.sent, usage.uplink);
  times.rx = air_time(usage.received, usage.downlink);
  if (const Seconds air = times.tx + times.rx; air > rest) {
    times.tx *= rest / air;
    times.rx *= rest / air;
  }
  times.wait = std::max(rest - times.tx - times.rx, Seconds(0));
  return times;
}

}  // namespace gelato::energy
