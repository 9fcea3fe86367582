#include "gelato/profile_measurement.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "gelato/engine/model_drafter.h"

namespace gelato::cli {
namespace {

// Deeper contexts take long to read on a slow machine, and the line is straight.
constexpr std::uint32_t kDeepest = 1024;
constexpr std::uint32_t kShallowest = 16;
constexpr std::size_t kTokensPerDepth = 32;

// Power is averaged over so many changes of the sensor, within these limits.
constexpr double kSensorChanges = 20.0;
constexpr Seconds kLeastWindow(1.0);
constexpr Seconds kLongestWindow(20.0);

// What a machine without a working meter is taken to draw: the order of a laptop.
constexpr Watts kAssumedIdle(5.0);
constexpr Watts kAssumedPerThread(4.0);

// Some text of `length` tokens; what it says does not matter for the time.
std::vector<spec::Token> filler(std::uint32_t length, spec::Token n_vocab) {
  std::vector<spec::Token> tokens(length);
  for (std::uint32_t i = 0; i < length; ++i) {
    tokens[i] = static_cast<spec::Token>((7919ULL * i + 1) % static_cast<std::uint64_t>(n_vocab));
  }
  return tokens;
}

engine::ModelDrafter make_drafter(engine::Context& context) {
  return {context, {}, static_cast<spec::Token>(context.model().info().vocabulary_size), 0};
}

// The median time of a token drafted after `depth` tokens. The first one also reads them and does
// not count.
Result<DraftSample> time_at(engine::Context& context, std::uint32_t depth, const Clock& clock) {
  auto drafter = make_drafter(context);
  if (auto ok = drafter.start(filler(depth, context.model().info().vocabulary_size)); !ok) {
    return fail(ok.error());
  }
  spec::Draft draft;
  std::vector<double> times;
  for (std::size_t i = 0; i <= kTokensPerDepth; ++i) {
    const Seconds begin = clock.now();
    const auto drafted = drafter.draft_one(draft, 0.0F);
    if (!drafted) {
      return fail(drafted.error());
    }
    if (i > 0) {
      times.push_back((clock.now() - begin).value());
    }
  }
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return DraftSample{.context = depth + 1.0 + 0.5 * kTokensPerDepth, .token = Seconds(*middle)};
}

// Drafts until `end`, again and again from a short context.
Result<void> draft_until(engine::Context& context, const Clock& clock, Seconds end) {
  auto drafter = make_drafter(context);
  spec::Draft draft;
  const auto prompt = filler(kShallowest, context.model().info().vocabulary_size);
  while (clock.now() < end) {
    if (auto ok = drafter.start(prompt); !ok) {
      return ok;
    }
    draft.clear();
    for (std::size_t i = 0; i < kTokensPerDepth && clock.now() < end; ++i) {
      if (const auto drafted = drafter.draft_one(draft, 0.0F); !drafted) {
        return fail(drafted.error());
      }
    }
  }
  return {};
}

// A measured, given or assumed power as a line of the profile.
energy::Citation power(const std::string& key, std::optional<Watts> given,
                       std::optional<Watts> measured, const std::string& meter, Watts assumed,
                       std::string_view assumption) {
  if (given) {
    return {key, given->value(), "given to gelato doctor --measure", false};
  }
  if (measured) {
    return {key, measured->value(), "measured by gelato doctor --measure: " + meter, false};
  }
  return {key, assumed.value(),
          fmt::format("Estimate: no meter works on this machine; {}. Replace it by what you know",
                      assumption),
          true};
}

}  // namespace

DraftLine fit_draft_times(std::span<const DraftSample> samples) {
  double x = 0.0;
  double y = 0.0;
  for (const DraftSample& s : samples) {
    x += s.context / static_cast<double>(samples.size());
    y += s.token.value() / static_cast<double>(samples.size());
  }
  double xx = 0.0;
  double xy = 0.0;
  for (const DraftSample& s : samples) {
    xx += (s.context - x) * (s.context - x);
    xy += (s.context - x) * (s.token.value() - y);
  }
  const double slope = xx > 0.0 ? std::max(0.0, xy / xx) : 0.0;
  if (y > slope * x) {
    return {.base = Seconds(y - slope * x), .slope = Seconds(slope)};
  }
  return {.base = Seconds(y), .slope = Seconds()};  // noise: no line through the origin or below
}

Result<std::vector<DraftSample>> measure_draft_times(engine::Context& context, const Clock& clock,
                                                     const DepthProgress& progress) {
  const auto room = static_cast<std::uint32_t>(kTokensPerDepth + 2);
  const std::uint32_t capacity = context.capacity();
  if (capacity < kShallowest + room) {
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format("a context of {} tokens is too short to measure drafting in", capacity));
  }
  const std::uint32_t deepest = std::min(kDeepest, capacity - room);
  std::vector<DraftSample> samples;
  const std::vector<std::uint32_t> depths = {kShallowest, deepest / 4, deepest / 2, deepest};
  for (std::size_t i = 0; i < depths.size(); ++i) {
    auto sample = time_at(context, std::max(depths[i], kShallowest), clock);
    if (!sample) {
      return fail(sample.error());
    }
    samples.push_back(*sample);
    if (!progress(i + 1, depths.size())) {
      return fail(ErrorCode::kCancelled, "interrupted while measuring");
    }
  }
  return samples;
}

Result<PowerPair> measure_power(energy::EnergyMeter& meter, engine::Context& context,
                                const Clock& clock, const std::function<void(Seconds)>& rest) {
  const Seconds window =
      std::clamp(kSensorChanges * meter.info().sampling_interval, kLeastWindow, kLongestWindow);
  // Read often enough that no reading is a gap.
  const Seconds step = std::min(window, meter.info().max_read_gap / 4.0);
  const auto mean = [&](const std::function<Result<void>(Seconds)>& pass_time) -> Result<Watts> {
    const Seconds begin = clock.now();
    const auto before = meter.read(begin);
    Result<Joules> after = before;
    while (after && clock.now() < begin + window) {
      if (auto ok = pass_time(step); !ok) {
        return fail(ok.error());
      }
      after = meter.read(clock.now());
    }
    return after ? Result<Watts>((*after - *before) / (clock.now() - begin)) : fail(after.error());
  };
  const auto idle = mean([&](Seconds time) {
    rest(time);
    return Result<void>{};
  });
  if (!idle) {
    return fail(idle.error());
  }
  const auto draft =
      mean([&](Seconds time) { return draft_until(context, clock, clock.now() + time); });
  if (!draft) {
    return fail(draft.error());
  }
  // Less power at work than at rest is the meter's noise.
  return PowerPair{.idle = std::min(*idle, *draft), .draft = *draft};
}

Result<energy::DeviceProfile> machine_profile(const MachineFacts& facts) {
  const Watts assumed_draft = kAssumedIdle + facts.threads * kAssumedPerThread;
  const std::string timing = fmt::format(
      "measured by gelato doctor --measure: line through the median token at four depths of the "
      "context; threads: {}",
      facts.threads);
  energy::DeviceProfile profile;
  profile.name = "this-machine";
  profile.description = fmt::format("{:.150}, measured by gelato doctor", facts.cpu);
  profile.draft_model = fmt::format("{:.150}", facts.draft_model);
  profile.citations = {{"draft.token_s", facts.draft.base.value(), timing, false},
                       {"draft.token_per_context_s", facts.draft.slope.value(), timing, false},
                       power("draft.power_w", facts.given_draft,
                             facts.measured ? std::optional(facts.measured->draft) : std::nullopt,
                             facts.meter, assumed_draft,
                             fmt::format("idle, and {:g} W per thread; threads: {}",
                                         kAssumedPerThread.value(), facts.threads))};
  for (const energy::Citation& number : facts.radio->citations) {
    if (number.key.starts_with("radio.")) {
      profile.citations.push_back(
          {number.key, number.value,
           fmt::format("Estimate: the radio of the profile {}, not this machine's. Replace it by "
                       "what you know. There: {:.1500}",
                       facts.radio->name, number.source),
           true});
    }
  }
  profile.citations.push_back(
      power("device.idle_w", facts.given_idle,
            facts.measured ? std::optional(facts.measured->idle) : std::nullopt, facts.meter,
            kAssumedIdle, fmt::format("{:g} W, the order of a laptop", kAssumedIdle.value())));
  auto checked = energy::parse_profile(energy::to_toml(profile), "the measured profile");
  if (!checked) {
    return fail(ErrorCode::kInvalidArgument, checked.error().message);
  }
  return checked;
}

}  // namespace gelato::cli
