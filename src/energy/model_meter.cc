#include "gelato/energy/model_meter.h"

#include <cmath>
#include <limits>
#include <utility>

namespace gelato::energy {

PhaseJoules modelled_energy(const DeviceProfile& profile, const PhaseTimes& times) {
  return {profile.draft_power * times.draft, profile.tx_power() * times.tx,
          profile.rx_power() * times.rx, profile.wait_power() * times.wait};
}

ModelMeter::ModelMeter(DeviceProfile profile)
    : profile_(std::move(profile)),
      info_{"model:" + profile_.name, Seconds(0), Seconds(std::numeric_limits<double>::infinity()),
            "a model, not a measurement: the power of each phase on '" + profile_.name +
                "' x the time spent in it; only the phases that were reported"} {}

Result<PhaseJoules> ModelMeter::report(const PhaseTimes& times) {
  for (const Seconds t : {times.draft, times.tx, times.rx, times.wait}) {
    if (!std::isfinite(t.value()) || t < Seconds(0)) {
      return fail(ErrorCode::kInvalidArgument,
                  "the duration of a phase must be finite and not negative");
    }
  }
  const PhaseJoules energy = modelled_energy(profile_, times);
  const Joules total = total_ + energy.total();
  if (!std::isfinite(total.value())) {
    return fail(ErrorCode::kInvalidArgument, "the duration of a phase is absurdly long");
  }
  total_ = total;
  return energy;
}

Result<Joules> ModelMeter::read(Seconds /*now*/) { return total_; }

}  // namespace gelato::energy
