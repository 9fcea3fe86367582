// Where a generation's energy went: draft, tx, rx, wait, and how much of that was measured.
#pragma once

#include <string_view>

#include "gelato/base/result.h"
#include "gelato/energy/phases.h"

namespace gelato::energy {

// How the numbers of a ledger came about; a report shows it beside them.
enum class EnergyBasis {
  kNone,      // nothing entered yet
  kModelled,  // total and split from a device profile
  kMeasured,  // the total was measured; its split among the phases is modelled
  kMixed,     // some rounds modelled, some measured
};

// `none`, `model`, `measured-total-modelled-split`, `mixed`, as in JSON.
std::string_view to_string(EnergyBasis basis);

// Divides a measured `total` in the proportion of `modelled`: a meter sees one number per round,
// and only the model tells phases apart. The parts sum to `total`. If the model knows nothing (all
// zero), everything is waiting. Both arguments must be finite and not negative.
PhaseJoules split_measured(Joules total, const PhaseJoules& modelled);

// Adds up rounds. Copyable; not synchronised.
class EnergyLedger {
 public:
  // A round whose energy is modelled (ModelMeter::report). The total of the ledger is then the
  // reading of that meter.
  // Errors (both): kInvalidArgument if a value is negative or not finite, or the sum would not be
  // finite; nothing changes then.
  Result<> add_modelled(const PhaseJoules& energy);

  // A round with a measured total, `modelled` being the same round through a device profile.
  Result<> add_measured(Joules total, const PhaseJoules& modelled);

  [[nodiscard]] const PhaseJoules& split() const { return split_; }
  [[nodiscard]] Joules total() const { return split_.total(); }
  // The second column: draft + tx only, as the paper counts.
  [[nodiscard]] Joules paper_accounting() const { return split_.paper_accounting(); }
  // The part of total() that a sensor measured.
  [[nodiscard]] Joules measured() const { return measured_; }
  [[nodiscard]] EnergyBasis basis() const { return basis_; }

 private:
  Result<> add(const PhaseJoules& energy, Joules measured, EnergyBasis basis);

  PhaseJoules split_;
  Joules measured_;
  EnergyBasis basis_ = EnergyBasis::kNone;
};

}  // namespace gelato::energy
