// What an edge that several devices use would be like if all of them did the same.
//
// Each device alone would draft as long as the others let it: its tokens make the passes longer for
// everybody, and the slower the passes, the better drafts look beside one token a pass. So a device
// weighs not what one more draft brings it while the others go on as they do, but what drafts would
// bring if all drafted, against what the target alone would write for all: Kant's rule (Roemer, A
// Theory of Cooperation, 2010, "Kantian optimization"), which agrees with the largest sum where
// devices are alike. docs/modules/control.md says what it is worth.
#pragma once

#include "gelato/control/policy.h"

namespace gelato::control {

// Both are the cost itself for a device that is alone.
struct SharedEdge {
  // If all devices draft: a pass over the usual draft of this one and those that share it, and the
  // wait for it. A token above or below the usual one costs what it makes all of them wait.
  CostEstimate draft;
  // If the target writes for all: a pass over one token of each.
  CostEstimate burst;
  // A burst fills the edge with passes. What each keeps those waiting who draft meanwhile, if
  // nobody shares it, per token: not this device's time, but a price.
  Seconds imposed;
};

// `usual`: mean draft length of this device, tokens; `cost` went through usable(). Pure and finite.
SharedEdge if_all_did(const CostEstimate& cost, double usual);

}  // namespace gelato::control
