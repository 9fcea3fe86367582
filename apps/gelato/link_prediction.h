// What the simulator says of a measured scenario.
#pragma once

#include <cstdint>
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

  // What LinkBench does with a policy: all devices write the first prompt's text to learn, and then
  // `repetitions` times every prompt's, knowing what they have learnt. The sum over devices, those
  // texts and, on a link where chance plays a part, kSeeds runs of all of it.
  // Errors: those of make_policy() and simulate().
  [[nodiscard]] Result<RoundTotals> predict(const std::string& policy, std::uint32_t devices,
                                            std::uint32_t repetitions) const;

  static constexpr std::uint64_t kSeeds = 20;
};

}  // namespace gelato::cli
