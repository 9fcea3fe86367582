#include "gelato/control/shared_edge.h"

#include <algorithm>
#include <cmath>

#include "gelato/control/round_estimate.h"

namespace gelato::control {
namespace {

// Of a pass that runs when a draft comes, so much is left. Of arrivals at chance times it were one
// half; drafts of regular rounds come less often in the middle of each other's passes (in simulated
// fleets 0.3 with 2 devices, 0.3 to 0.5 with 8).
constexpr double kLeft = 0.3;
// Halved steps towards the fixed point: it is known to 0.1 %.
constexpr int kSteps = 12;

struct Crowd {
  Seconds pass;
  Seconds wait;
  double sharers = 1.0;  // devices in a pass
};

// A closed network of `devices` that are `away` between two passes over `own` and `token` for each
// token of another device: what comes during a pass waits for its end and shares the next one.
Crowd crowd(double devices, Seconds away, Seconds own, Seconds others) {
  Crowd now{.pass = own, .wait = {}};
  for (int i = 0; i < kSteps; ++i) {
    const double arrivals = (devices - 1.0) * (now.pass / (away + now.wait + now.pass));
    const double busy = std::min(1.0, arrivals);
    now.wait = 0.5 * (now.wait + kLeft * busy * now.pass);
    now.sharers = 0.5 * (now.sharers + 1.0 + busy * arrivals);
    now.pass = own + (now.sharers - 1.0) * others;
  }
  return now;
}

}  // namespace

SharedEdge if_all_did(const CostEstimate& cost, double usual) {
  SharedEdge all{.draft = cost, .burst = cost, .imposed = {}};
  const Seconds own = cost.verify_base + usual * cost.verify_token;
  if (!(cost.devices > 1.0) || !(own > Seconds())) {
    return all;
  }
  const auto length = static_cast<std::uint32_t>(std::lround(usual));
  const Seconds away = drafting_time(cost, length) + uplink_time(cost, length) + cost.round_trip;
  const Crowd drafts = crowd(cost.devices, away, own, (usual + 1.0) * cost.verify_token);
  all.draft.queue = drafts.wait;
  all.draft.others = {};
  // One token more, for all who are in the pass and wait for it.
  all.draft.verify_token = drafts.sharers * (1.0 + drafts.wait / drafts.pass) * cost.verify_token;
  all.draft.verify_base = std::max(drafts.pass - usual * all.draft.verify_token, Seconds());

  all.burst.others = (cost.devices - 1.0) * cost.verify_token;
  all.burst.queue = 0.5 * verify_time(all.burst, 0);
  all.imposed = std::exp(1.0 - drafts.sharers) * drafts.wait;
  return all;
}

}  // namespace gelato::control
