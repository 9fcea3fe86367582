#include "gelato/sim/simulation.h"

#include <fmt/format.h>

#include <algorithm>

#include "device_agent.h"
#include "edge_station.h"
#include "event_queue.h"

namespace gelato::sim {
namespace {

Result<std::vector<std::uint32_t>> choose_prompts(const Setting& setting) {
  const DraftTrace& trace = *setting.trace;
  std::vector<std::uint32_t> chosen;
  for (std::uint32_t i = 0; i < trace.prompts.size(); ++i) {
    const TracePrompt& prompt = trace.prompts[i];
    if (prompt.positions > 0 && (setting.prompt_set.empty() || prompt.set == setting.prompt_set)) {
      chosen.push_back(i);
    }
  }
  if (chosen.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                setting.prompt_set.empty()
                    ? "the trace has no positions"
                    : fmt::format("the trace has no prompts of the set '{}'", setting.prompt_set));
  }
  return chosen;
}

using Policies = std::vector<std::unique_ptr<control::Policy>>;

Result<Policies> make_others(const Setting& setting) {
  Policies policies;
  for (std::uint32_t i = 0; i < setting.others; ++i) {
    auto policy = control::make_policy(setting.others_policy);
    if (!policy) {
      return fail(policy.error());
    }
    policies.push_back(std::move(*policy));
  }
  return policies;
}

// Everything of one run.
class Run {
 public:
  Run(const Setting& setting, const RunOptions& options, std::size_t devices)
      : setting_(setting), options_(options), events_(devices * (control::kMaxDraftLength + 4)) {
    agents_.reserve(devices);
  }

  Result<void> add_links(std::size_t devices) {
    if (auto ok = add_links(setting_, devices, links_); !ok || !changes()) {
      return ok;
    }
    return add_links(*setting_.changed, devices, later_links_);
  }

  void add_device(control::Policy& policy, const std::vector<std::uint32_t>& prompts) {
    const auto number = static_cast<std::uint32_t>(agents_.size());
    Rng rng(options_.seed, stream_id("sim/device") + number);
    TextCursor text(*setting_.trace, prompts, rng.below(prompts.size()));
    if (setting_.trace->no_beginning) {
      text.skip(static_cast<std::uint32_t>(rng.below(text.left())));
    }
    Foresight* foresight =
        number < options_.foresight.size() ? &options_.foresight[number] : nullptr;
    agents_.emplace_back(setting_, number, policy, std::move(text), link(links_, number), events_,
                         foresight);
    // Several devices do not start in step.
    const Seconds start = number == 0 ? Seconds() : rng.uniform() * setting_.edge.time(1);
    events_.schedule(start, EventKind::kBegin, {.device = number});
  }

  // The prompts of the setting that it changes to.
  void set_later_prompts(std::vector<std::uint32_t> prompts) {
    later_prompts_ = std::move(prompts);
  }

  RunResult play() {
    EdgeStation edge(setting_, agents_, events_);
    for (DeviceAgent& agent : agents_) {
      agent.opened(agents_.size());
    }
    std::vector<bool> done(setting_.devices, false);
    RunResult result;
    result.devices.resize(setting_.devices);
    for (std::uint32_t running = setting_.devices; running > 0;) {
      const Event event = events_.pop();
      const std::uint32_t number = event.request.device;
      if (!dispatch(event, edge)) {
        continue;
      }
      const bool counted = number < setting_.devices && !done[number];
      if (counted && report(number)) {
        done[number] = true;
        result.devices[number] = agents_[number].totals();
        result.elapsed = event.at;
        --running;
      }
      if (changes() && agents_[number].totals().rounds == setting_.change_round) {
        change(number, edge);
      }
      agents_[number].begin_round(event.at);
    }
    result.edge_passes = edge.passes();
    result.edge_busy = edge.busy();
    return result;
  }

 private:
  // Weyl's constant: seeds of neighbouring devices share no stream.
  static constexpr std::uint64_t kSeedStride = 0x9E3779B97F4A7C15ULL;

  Result<void> add_links(const Setting& setting, std::size_t devices,
                         std::vector<link::LinkEmulator>& out) const {
    const std::size_t links = setting_.shared_cell ? 1 : devices;
    out.reserve(links);
    for (std::size_t i = 0; i < links; ++i) {
      // Each device has its own fading and jitter; the first has the seed's.
      auto link = link::LinkEmulator::create(setting.link, setting.link_trace,
                                             options_.seed + i * kSeedStride, Seconds());
      if (!link) {
        return fail(link.error());
      }
      out.push_back(std::move(*link));
    }
    return {};
  }

  link::LinkEmulator& link(std::vector<link::LinkEmulator>& links, std::uint32_t number) const {
    return links[setting_.shared_cell ? 0 : number];
  }

  [[nodiscard]] bool changes() const {
    return setting_.changed != nullptr && setting_.change_round > 0;
  }

  void change(std::uint32_t number, EdgeStation& edge) {
    const Setting& later = *setting_.changed;
    TextCursor text(*later.trace, later_prompts_, number % later_prompts_.size());
    agents_[number].change(later, std::move(text), link(later_links_, number));
    edge.change(later);
  }

  // Whether the event ended a round.
  bool dispatch(const Event& event, EdgeStation& edge) {
    DeviceAgent& agent = agents_[event.request.device];
    const std::uint64_t before = agent.totals().rounds;
    switch (event.kind) {
      case EventKind::kBegin:
        agent.begin_round(event.at);
        break;
      case EventKind::kToken:
        agent.on_token(event.at);
        break;
      case EventKind::kSend:
        agent.on_send(event.at);
        break;
      case EventKind::kAlone:
        agent.on_alone(event.at);
        break;
      case EventKind::kArrival:
        edge.on_arrival(event.at, event.request);
        break;
      case EventKind::kPass:
        edge.on_pass(event.at);
        break;
      case EventKind::kAnswer:
        agent.on_answer(event.at, event.request);
        break;
      case EventKind::kTried:
        agent.on_tried(event.at);
        break;
    }
    return agent.totals().rounds != before;
  }

  // Whether the device has done all that is asked of it.
  bool report(std::uint32_t number) {
    const DeviceAgent& agent = agents_[number];
    if (options_.observer != nullptr) {
      options_.observer->on_round({number, agent.plan(), agent.outcome()});
    }
    return setting_.tokens > 0 ? agent.totals().tokens >= setting_.tokens
                               : agent.totals().rounds >= setting_.rounds;
  }

  const Setting& setting_;
  const RunOptions& options_;
  EventQueue events_;
  std::vector<link::LinkEmulator> links_;
  std::vector<link::LinkEmulator> later_links_;  // after the change
  std::vector<std::uint32_t> later_prompts_;
  std::vector<DeviceAgent> agents_;
};

}  // namespace

DeviceTotals& DeviceTotals::operator+=(const DeviceTotals& o) {
  rounds += o.rounds;
  tokens += o.tokens;
  unverified += o.unverified;
  drafted += o.drafted;
  accepted += o.accepted;
  passes += o.passes;
  stale += o.stale;
  up_bytes += o.up_bytes;
  down_bytes += o.down_bytes;
  elapsed += o.elapsed;
  drafting += o.drafting;
  energy += o.energy;
  round_throughput += o.round_throughput;
  return *this;
}

DeviceTotals RunResult::total() const {
  DeviceTotals sum;
  for (const DeviceTotals& device : devices) {
    sum += device;
  }
  return sum;
}

Result<RunResult> simulate(const Setting& setting,
                           std::span<const std::unique_ptr<control::Policy>> policies,
                           const RunOptions& options) {
  if (policies.size() != setting.devices || setting.devices == 0) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} policies for {} devices", policies.size(), setting.devices));
  }
  const auto prompts = choose_prompts(setting);
  if (!prompts) {
    return fail(prompts.error());
  }
  const auto others = make_others(setting);
  if (!others) {
    return fail(others.error());
  }
  Run run(setting, options, policies.size() + others->size());
  if (auto ok = run.add_links(policies.size() + others->size()); !ok) {
    return fail(ok.error());
  }
  if (setting.changed != nullptr) {
    auto later = choose_prompts(*setting.changed);
    if (!later) {
      return fail(later.error());
    }
    run.set_later_prompts(*std::move(later));
  }
  for (const auto& policy : policies) {
    run.add_device(*policy, *prompts);
  }
  for (const auto& policy : *others) {
    run.add_device(*policy, *prompts);
  }
  return run.play();
}

}  // namespace gelato::sim
