// The lines of `gelato doctor` about energy: the meters, and the profile of this machine.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gelato/doctor_checks.h"
#include "gelato/energy/meters.h"

namespace gelato::cli {

// One line per meter: what it covers, or why it does not work here.
std::vector<Finding> check_meters(const energy::MeterPlaces& places, const Clock& clock);

struct MeasureFlags {
  bool wanted = false;
  std::string profile;  // where it goes; empty: own_profile_path()
  std::optional<double> draft_watts;
  std::optional<double> idle_watts;
};

// Measures the profile of this machine with the draft of `flags` and writes it.
Finding measure_machine(const MeasureFlags& measure, const ModelFlags& flags,
                        const energy::MeterPlaces& places, const Workplace& workplace);

}  // namespace gelato::cli
