// Joules where nothing can be measured: a device profile and the time spent in each phase.
#pragma once

#include "gelato/energy/device_profile.h"
#include "gelato/energy/energy_meter.h"
#include "gelato/energy/phases.h"

namespace gelato::energy {

// Power of each phase x its time. With the paper's profile, draft and tx are E^D and E^U of GELATO
// (arXiv 2605.10124) eq. (1), (2); rx and wait are ours.
PhaseJoules modelled_energy(const DeviceProfile& profile, const PhaseTimes& times);

// A meter that is told what happened instead of measuring it. Its source is `model:<profile>`.
class ModelMeter final : public EnergyMeter {
 public:
  explicit ModelMeter(DeviceProfile profile);

  // Adds the phases of a round and returns their energy, for an EnergyLedger. Time that is never
  // reported is not counted.
  // Errors: kInvalidArgument if a duration is negative or not finite; nothing changes then.
  Result<PhaseJoules> report(const PhaseTimes& times);

  // The energy reported so far; `now` does not matter.
  Result<Joules> read(Seconds now) override;
  [[nodiscard]] Seconds unmeasured() const override { return Seconds(0); }
  [[nodiscard]] const MeterInfo& info() const override { return info_; }
  [[nodiscard]] const DeviceProfile& profile() const { return profile_; }

 private:
  DeviceProfile profile_;
  MeterInfo info_;
  Joules total_;
};

}  // namespace gelato::energy
