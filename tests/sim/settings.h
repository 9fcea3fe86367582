// Settings for tests: round numbers that can be followed by hand.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gelato/sim/setting.h"
#include "gelato/sim/simulation.h"
#include "gelato/sim/synthetic_trace.h"

namespace gelato::sim {

// 10 ms and 1 W per drafted token whatever the context, 2 W while sending, 0.5 W while receiving,
// 0.1 W while waiting.
inline energy::DeviceProfile round_profile() {
  energy::DeviceProfile profile;
  profile.name = "round";
  profile.draft_token = milliseconds(10);
  profile.draft_power = Watts(1.0);
  profile.idle = Watts(0.1);
  profile.radiated = Watts(0.9);
  profile.tx_circuit = Watts(1.0);
  profile.rx_circuit = Watts(0.4);
  return profile;
}

// A text in which the draft's own rows match where `matches` says 1.
inline std::shared_ptr<DraftTrace> scripted_trace(const std::vector<int>& matches,
                                                  std::uint32_t depth) {
  auto trace = std::make_shared<DraftTrace>();
  trace->machine = "scripted";
  trace->vocabulary = 256;  // 8 bits per token
  trace->depth = depth;
  const auto positions = static_cast<std::uint32_t>(matches.size());
  trace->prompts.push_back(
      {.id = "p", .set = "s", .prompt_tokens = 0, .first = 0, .positions = positions});
  trace->target_tokens.assign(positions, 0);
  for (std::size_t i = 0; i < positions; ++i) {
    bool on_path = true;
    for (std::size_t j = 0; j < depth; ++j) {
      on_path = on_path && i + j < positions && matches[i + j] == 1;
      trace->tokens.push_back({.entropy = 0.1F,
                               .top1 = 0.9F,
                               .margin = 0.8F,
                               .top_p = 2,
                               .match = static_cast<std::uint8_t>(on_path)});
    }
  }
  return trace;
}

// 100 ms per pass, 10 ms each way, and a rate at which nothing takes time.
inline Setting round_setting(std::shared_ptr<const DraftTrace> trace) {
  Setting setting;
  setting.trace = std::move(trace);
  setting.profile = round_profile();
  setting.link = link::parse_link_spec("rate=100gbit,delay=10ms").value();
  setting.edge.pass = {milliseconds(100)};
  setting.wire.index = Bits(8);
  return setting;
}

inline Result<RunResult> run_policy(const Setting& setting, const std::string& policy,
                                    std::uint64_t seed = 0, RoundObserver* observer = nullptr) {
  std::vector<std::unique_ptr<control::Policy>> policies;
  for (std::uint32_t i = 0; i < setting.devices; ++i) {
    policies.push_back(control::make_policy(policy).value());
  }
  return simulate(setting, policies, {.seed = seed, .observer = observer, .foresight = {}});
}

// A plan that never changes, for the timeline's sake.
class PlannedPolicy final : public control::Policy {
 public:
  explicit PlannedPolicy(const control::RoundPlan& plan) : plan_(plan) {}
  control::RoundPlan begin_round(const control::RoundContext& context) override {
    contexts.push_back(context);
    return plan_;
  }
  [[nodiscard]] bool keep_drafting(const control::DraftState& state) override {
    states.push_back(state);
    return true;
  }
  std::uint32_t end_trial(std::uint32_t drafted, std::uint32_t accepted) override {
    trials.push_back({.drafted = drafted, .accepted = accepted});
    return next_trial;
  }
  void end_round(const control::RoundOutcome& outcome) override { outcomes.push_back(outcome); }
  [[nodiscard]] std::string name() const override { return "planned"; }

  std::vector<control::RoundContext> contexts;
  std::vector<control::DraftState> states;
  std::vector<control::RoundOutcome> outcomes;
  struct Trial {
    std::uint32_t drafted = 0;
    std::uint32_t accepted = 0;
    friend bool operator==(const Trial&, const Trial&) = default;
  };
  std::vector<Trial> trials;
  std::uint32_t next_trial = 0;  // what end_trial() answers

 private:
  control::RoundPlan plan_;
};

}  // namespace gelato::sim
