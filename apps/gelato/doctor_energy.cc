#include "gelato/doctor_energy.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "gelato/cli.h"
#include "gelato/energy_options.h"
#include "gelato/profile_measurement.h"
#include "gelato/report/output.h"
#include "gelato/report/progress.h"

namespace gelato::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSubject = "profile";

std::string draft_path(const ModelFlags& flags) {
  const auto bundled = find_bundled_models();
  return !flags.draft.empty() ? flags.draft : bundled ? bundled->draft : "";
}

// What the flags ask for, as a profile.
Result<energy::DeviceProfile> measure(const MeasureFlags& flags, const std::string& model_path,
                                      const ModelFlags& models, const energy::MeterPlaces& places,
                                      const Workplace& workplace) {
  const Clock& clock = workplace.clock();
  const auto model = engine::LanguageModel::load(
      workplace.backend(), model_path,
      {.gpu_layers = models.draft_gpu_layers, .progress = [](float) { return !interrupted(); }});
  if (!model) {
    return fail(model.error());
  }
  const std::uint32_t threads = models.draft_threads > 0 ? models.draft_threads
                                : models.target_threads > 0
                                    ? models.target_threads
                                    : engine::default_threads((*model)->info());
  const auto context = engine::Context::create(
      **model, {.tokens = models.context_tokens, .max_rows = 1, .threads = threads, .pool = {}});
  if (!context) {
    return fail(context.error());
  }
  const auto radio = open_profile("phone");
  if (!radio) {
    return fail(radio.error());
  }
  report::Progress bar("measuring", 4, report::terminal_of(STDERR_FILENO), clock,
                       [](std::string_view text) { Output(STDERR_FILENO).write(text); });
  const auto samples = measure_draft_times(**context, clock, [&](std::size_t done, std::size_t) {
    bar.update(done);
    return !interrupted();
  });
  if (!samples) {
    return fail(samples.error());
  }
  const auto watts = [](std::optional<double> w) {
    return w ? std::optional(Watts(*w)) : std::nullopt;
  };
  MachineFacts facts{.cpu = report::this_machine().cpu,
                     .draft_model = fs::path(model_path).filename().string(),
                     .threads = threads,
                     .draft = fit_draft_times(*samples),
                     .measured = {},
                     .meter = {},
                     .given_draft = watts(flags.draft_watts),
                     .given_idle = watts(flags.idle_watts),
                     .radio = &*radio};
  if (const auto meter = best_meter(places, clock.now());
      meter && !(facts.given_draft && facts.given_idle)) {
    const auto power = measure_power(*meter, **context, clock, [](Seconds time) {
      std::this_thread::sleep_for(std::chrono::duration<double>(time.value()));
    });
    if (!power) {
      return fail(power.error());
    }
    facts.measured = *power;
    facts.meter = fmt::format("{}, which covers {}", meter->source(), meter->info().covers);
  }
  return machine_profile(facts);
}

Result<fs::path> place_of(const MeasureFlags& flags) {
  const fs::path path = flags.profile.empty() ? own_profile_path() : fs::path(flags.profile);
  if (path.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                "neither XDG_CONFIG_HOME nor HOME is set; say where the profile goes (--profile)");
  }
  if (flags.profile.empty()) {
    std::error_code failed;
    fs::create_directories(path.parent_path(), failed);
    if (failed) {
      return fail(ErrorCode::kIo, fmt::format("cannot create the folder {}: {}",
                                              path.parent_path().string(), failed.message()));
    }
  }
  if (auto ok = report::check_output(path); !ok) {
    return fail(ok.error());
  }
  return path;
}

std::string estimates(const energy::DeviceProfile& profile) {
  std::string names;
  for (const energy::Citation& number : profile.citations) {
    if (number.estimate) {
      names += (names.empty() ? "" : ", ") + number.key;
    }
  }
  return names;
}

Finding failed(const Error& error) {
  return {.subject = kSubject, .health = Health::kBad, .text = error.message};
}

}  // namespace

std::vector<Finding> check_meters(const energy::MeterPlaces& places, const Clock& clock) {
  std::vector<Finding> findings;
  bool any = false;
  for (const energy::MeterProbe& probe : energy::probe_meters(places, clock.now())) {
    any = any || probe.info.has_value();
    findings.push_back({.subject = "meter " + probe.source,
                        .health = probe.info ? Health::kGood : Health::kNote,
                        .text = probe.info ? probe.info->covers : probe.problem->message,
                        .data = {{"source", probe.source},
                                 {"works", probe.info.has_value()},
                                 {"sampling_interval_s",
                                  probe.info ? nlohmann::json(probe.info->sampling_interval.value())
                                             : nlohmann::json()}}});
  }
  if (!any && !findings.empty()) {
    findings.back().hint = "no meter works here; joules can be modelled: --energy model:PROFILE";
  }
  return findings;
}

Finding measure_machine(const MeasureFlags& flags, const ModelFlags& models,
                        const energy::MeterPlaces& places, const Workplace& workplace) {
  const auto path = place_of(flags);
  if (!path) {
    return failed(path.error());
  }
  const auto profile = measure(flags, draft_path(models), models, places, workplace);
  if (!profile) {
    return failed(profile.error());
  }
  if (auto ok = report::write_output(*path, energy::to_toml(*profile)); !ok) {
    return failed(ok.error());
  }
  nlohmann::json data = {{"file", path->string()}};
  for (const energy::Citation& number : profile->citations) {
    std::string key = number.key;
    std::replace(key.begin(), key.end(), '.', '_');
    data[key] = {{"value", number.value}, {"estimate", number.estimate}};
  }
  Finding finding{
      .subject = kSubject,
      .text = fmt::format("{} with {}: {:.3g} ms a token and {:.3g} us more per token of context, "
                          "{:.3g} W drafting, {:.3g} W idle; written to {}",
                          profile->name, profile->draft_model, profile->draft_token.value() * 1e3,
                          profile->draft_token_per_context.value() * 1e6,
                          profile->draft_power.value(), profile->idle.value(), path->string()),
      .data = std::move(data)};
  if (const std::string names = estimates(*profile); !names.empty()) {
    finding.health = Health::kNote;
    finding.hint = "estimates, not measured: " + names +
                   "; set powers with --draft-watts and --idle-watts, or edit the file";
  }
  return finding;
}

}  // namespace gelato::cli
