#include "gelato/link_prediction.h"

#include <bit>
#include <cmath>
#include <variant>
#include <vector>

#include "gelato/proto/limits.h"
#include "gelato/sim/simulation.h"

namespace gelato::cli {
namespace {

bool is_random(const link::LinkSpec& link) {
  return link.loss > 0.0 || link.jitter > Seconds(0) ||
         !std::holds_alternative<link::ConstantRate>(link.up);
}

std::uint64_t whole(double bytes) { return static_cast<std::uint64_t>(std::lround(bytes)); }

// The scenario as the simulator takes it. A message of the target writing alone differs in size
// from a verdict; the policy that knows nothing else has its own.
sim::Setting setting_of(const LinkPrediction& p, bool writes_alone) {
  sim::Setting setting;
  setting.trace = p.trace;
  setting.profile = p.profile;
  setting.link = p.link;
  setting.link.delay += p.edge.stack / 2.0;
  setting.link_trace = p.link_trace;
  setting.edge = p.edge.curve;
  setting.wire.index = Bits(std::bit_width(std::max(p.trace->vocabulary, 2U) - 1U));
  const MessageSizes& sizes = writes_alone ? p.edge.writes : p.edge.drafts;
  setting.wire.up_bytes = whole(sizes.up);
  setting.wire.down_bytes = whole(sizes.down);
  setting.wire.up_ack_bytes = whole(sizes.up_ack);
  setting.wire.down_ack_bytes = whole(sizes.down_ack);
  setting.max_in_flight = proto::kMaxInFlight;
  return setting;
}

}  // namespace

Result<RoundTotals> LinkPrediction::predict(const std::string& policy, std::uint32_t devices,
                                            std::uint32_t repetitions) const {
  RoundTotals sum;
  sim::Setting setting = setting_of(*this, policy == "edge-only");
  setting.devices = devices;
  const std::uint64_t seeds = is_random(link) ? kSeeds : 1;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    std::vector<std::unique_ptr<control::Policy>> policies;
    while (policies.size() < devices) {
      auto made = control::make_policy(policy);
      if (!made) {
        return fail(made.error());
      }
      policies.push_back(*std::move(made));
    }
    const auto write = [&](const sim::TracePrompt& prompt, std::uint64_t run_seed) {
      setting.prompt_set = prompt.set;
      setting.tokens = prompt.positions;
      return sim::simulate(setting, policies, {.seed = run_seed, .foresight = {}});
    };
    const std::uint64_t first = seed * (repetitions + 1);
    if (auto text = write(trace->prompts.front(), first); !text) {
      return fail(text.error());
    }
    for (std::uint32_t turn = 1; turn <= repetitions; ++turn) {
      for (const sim::TracePrompt& prompt : trace->prompts) {
        const auto run = write(prompt, first + turn);
        if (!run) {
          return fail(run.error());
        }
        const sim::DeviceTotals total = run->total();
        sum += {.rounds = total.rounds,
                .tokens = total.tokens,
                .drafted = total.drafted,
                .accepted = total.accepted,
                .passes = total.passes,
                .elapsed = total.elapsed,
                .energy = total.energy.total()};
      }
    }
  }
  return sum;
}

}  // namespace gelato::cli
