// What every energy meter looks like to the rest of the program, and what it says about itself.
#pragma once

#include <string>
#include <string_view>

#include "gelato/base/result.h"
#include "gelato/base/units.h"

namespace gelato::energy {

// A meter's label, so that no joule is reported without saying where it comes from.
struct MeterInfo {
  // `rapl`, `battery`, `hwmon`, `nvml` or `model:<profile>`: the JSON key energy_source.
  std::string source;
  // Nominal time between two changes of the underlying value; hardware may be slower. 0: the value
  // is exact at every read (a model).
  Seconds sampling_interval;
  // Reads further apart than this are reported as a gap. Infinite: no limit.
  Seconds max_read_gap;
  // What is counted and what is not, in one sentence.
  std::string covers;
};

// Joules since the meter was opened. Not synchronised: one thread at a time. A meter is passive, it
// looks at its sensor only inside read(); whoever owns it reads at least every max_read_gap.
class EnergyMeter {
 public:
  virtual ~EnergyMeter() = default;

  // Energy since the meter was opened; never negative, never decreasing, never NaN. `now` comes
  // from the clock that was used to open the meter and must not go back.
  //
  // Errors:
  //   kUnavailable       the sensor is gone or cannot measure now (battery on mains), or the time
  //                      since the last good read is a gap: it was too long, or the machine slept
  //                      or reset the counter in between. After a gap measuring goes on from
  //                      `now`, the total leaves the gap out, and unmeasured() grows by it.
  //   kPermissionDenied  the sensor's file may not be read any more
  //   kCorrupt           the sensor's file holds no sensible number
  //   kIo                the operating system refused
  //   kInvalidArgument   `now` is not finite or lies before the last read; nothing changes
  virtual Result<Joules> read(Seconds now) = 0;

  // Time between open and the last read for which no energy is known. If it is not zero, the total
  // is a lower bound and a report must say so.
  [[nodiscard]] virtual Seconds unmeasured() const = 0;

  [[nodiscard]] virtual const MeterInfo& info() const = 0;
  [[nodiscard]] std::string_view source() const { return info().source; }
};

}  // namespace gelato::energy
