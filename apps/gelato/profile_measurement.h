// Measuring the device profile of this machine: what a drafted token takes, and what it draws.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "gelato/base/clock.h"
#include "gelato/base/result.h"
#include "gelato/energy/device_profile.h"
#include "gelato/energy/energy_meter.h"
#include "gelato/engine/context.h"

namespace gelato::cli {

// Time of one drafted token after `context` tokens.
struct DraftSample {
  double context = 0.0;
  Seconds token;
};

// The least-squares line token = base + slope x context; neither is negative.
struct DraftLine {
  Seconds base;
  Seconds slope;
};
DraftLine fit_draft_times(std::span<const DraftSample> samples);

// Drafts greedily at several depths of the context and takes the median time of a token at each.
// `progress` hears after each depth of how many; false ends the work.
// Errors: those of the engine; kCancelled.
using DepthProgress = std::function<bool(std::size_t done, std::size_t total)>;
Result<std::vector<DraftSample>> measure_draft_times(engine::Context& context, const Clock& clock,
                                                     const DepthProgress& progress);

// Power at rest and while drafting, from a meter.
struct PowerPair {
  Watts idle;
  Watts draft;
};
// The mean power that `meter` shows over a rest, which `rest` makes pass, and over as long a time
// of drafting: 20 changes of the sensor, 1 to 20 s each. Errors: those of the meter and the engine.
Result<PowerPair> measure_power(energy::EnergyMeter& meter, engine::Context& context,
                                const Clock& clock, const std::function<void(Seconds)>& rest);

// Everything that a profile of this machine is put together from.
struct MachineFacts {
  std::string cpu;
  std::string draft_model;  // file name
  std::uint32_t threads = 1;
  DraftLine draft;
  std::optional<PowerPair> measured;     // by `meter`
  std::string meter;                     // its source and what it covers
  std::optional<Watts> given_draft;      // by the user, instead
  std::optional<Watts> given_idle;       //
  const energy::DeviceProfile* radio{};  // whose radio stands in; not null
};

// The profile `this-machine`, each number with where it comes from; what was neither measured nor
// given is an estimate and says so.
// Errors: kInvalidArgument if the numbers make no profile (more power idle than drafting).
Result<energy::DeviceProfile> machine_profile(const MachineFacts& facts);

}  // namespace gelato::cli
