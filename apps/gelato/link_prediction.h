// What the simulator says of a measured scenario.
#pragma once

#include <memory>
#include <string>

#include "gelato/base/result.h"
#include "gelato/edge_probe.h"
#include "gelato/energy/device_profile.h"
#include "gelato/link/link_spec.h"
#include "gelato/link/trace.h"
#include "gelato/observed_policy.h"
#include "gelato/sim/draft_trace.h"

namespace gelato::cli {

struct LinkPrediction {
  std::shared_ptr<const sim::DraftTrace> trace;  // a set of its own for every prompt
  energy::DeviceProfile profile;
  link::LinkSpec link;
  link::Trace link_trace;
  EdgeProbe edge;

  // Every prompt's text once under a new policy, as LiveDevice::write() does it; the sum over the
  // prompts and, on a link where chance plays a part, over kSeeds runs.
  // Errors: those of make_policy() and simulate().
  [[nodiscard]] Result<RoundTotals> predict(const std::string& policy) const;

  static constexpr std::uint64_t kSeeds = 20;
};

}  // namespace gelato::cli
