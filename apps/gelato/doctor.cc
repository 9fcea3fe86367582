// gelato doctor: what works here, one line each, and a hint where something is off.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <tuple>
#include <vector>

#include "gelato/cli.h"
#include "gelato/commands.h"
#include "gelato/doctor_checks.h"
#include "gelato/doctor_energy.h"
#include "gelato/report/output.h"

namespace gelato::cli {
namespace {

struct DoctorFlags {
  ModelFlags models;
  bool no_measure = false;
  MeasureFlags measure;
  std::string sysfs = "/sys";
  std::string json;
};

// The report: lines appear as they are found.
class Report {
 public:
  Report(Output& out, const report::Terminal& terminal) : out_(&out), terminal_(terminal) {}

  void add(Finding finding) {
    const report::Style style = finding.health == Health::kGood   ? report::Style::kGood
                                : finding.health == Health::kNote ? report::Style::kWarn
                                                                  : report::Style::kBad;
    const std::string state = fmt::format("{:<6}", to_string(finding.health));
    out_->write(fmt::format("{}  {:<15} {}\n", report::paint(state, style, terminal_),
                            finding.subject, report::printable(finding.text)));
    if (!finding.hint.empty()) {
      out_->write(fmt::format("{:<24}hint: {}\n", "", report::printable(finding.hint)));
    }
    findings_.push_back(std::move(finding));
  }

  [[nodiscard]] bool healthy() const {
    return std::none_of(findings_.begin(), findings_.end(),
                        [](const Finding& f) { return f.health == Health::kBad; });
  }

  [[nodiscard]] nlohmann::json to_json() const {
    auto checks = nlohmann::json::array();
    for (const Finding& f : findings_) {
      checks.push_back({{"subject", f.subject},
                        {"state", to_string(f.health)},
                        {"text", f.text},
                        {"hint", f.hint.empty() ? nlohmann::json() : nlohmann::json(f.hint)},
                        {"data", f.data}});
    }
    return {{"healthy", healthy()}, {"checks", checks}};
  }

 private:
  Output* out_;
  report::Terminal terminal_;
  std::vector<Finding> findings_;
};

// The files that `flags` stand for; empty without bundled models.
std::vector<std::string> model_files(const ModelFlags& flags) {
  std::vector<std::string> out;
  const auto bundled = find_bundled_models();
  if (!flags.target.empty() || bundled) {
    out.push_back(flags.target.empty() ? bundled->target : flags.target);
  }
  if (flags.has_draft() && (!flags.draft.empty() || bundled)) {
    out.push_back(flags.draft.empty() ? bundled->draft : flags.draft);
  }
  return out;
}

void check_models(const DoctorFlags& flags, Workplace& workplace, Report& report) {
  const std::vector<std::string> files = model_files(flags.models);
  report.add(check_memory(files));
  report.add(check_bundled_models());
  const auto session = workplace.open(flags.models);
  if (!session) {
    report.add({.subject = "models",
                .health = Health::kBad,
                .text = session.error().message,
                .hint = "nothing can be generated with these models; try others with -m and -md"});
    return;
  }
  report.add(check_vocabulary(**session));
  report.add(check_chat_template(**session));
  report.add(check_threads(**session));
  if ((*session)->draft() != nullptr && !flags.no_measure && !interrupted()) {
    report.add(check_speculation(**session, workplace.clock()));
  }
}

void check_energy(const DoctorFlags& flags, const Workplace& workplace, Report& report) {
  const energy::MeterPlaces places{.sysfs = flags.sysfs, .hwmon_rails = {}};
  for (Finding& meter : check_meters(places, workplace.clock())) {
    report.add(std::move(meter));
  }
  if (flags.measure.wanted && !interrupted()) {
    report.add(measure_machine(flags.measure, flags.models, places, workplace));
  }
}

Result<bool> doctor(const DoctorFlags& flags) {
  if (auto ok = check_json(flags.json); !ok) {
    return fail(ok.error());
  }
  const int text_to = text_descriptor(flags.json);
  Output out(text_to);
  Report report(out, report::terminal_of(text_to));
  report.add(check_program());
  const auto workplace = Workplace::create(flags.models.verbose);
  if (workplace) {
    report.add(check_llama((*workplace)->backend()));
    report.add(check_processors((*workplace)->backend()));
    check_models(flags, **workplace, report);
    check_energy(flags, **workplace, report);
  } else {
    report.add({.subject = "llama.cpp", .health = Health::kBad, .text = workplace.error().message});
  }
  report.add(check_terminal(report::terminal_of(STDOUT_FILENO)));
  if (!flags.json.empty()) {
    nlohmann::json result = report::to_json(
        report::RunManifest{.seed = 0, .machine = report::this_machine(), .models = {}});
    result.update(report.to_json());
    if (auto ok = report::write_json(flags.json, result); !ok) {
      return fail(ok.error());
    }
  }
  if (const auto written = out.status(); !written) {
    return fail(written.error());
  }
  return report.healthy();
}

}  // namespace

int doctor_command(const std::vector<std::string>& arguments) {
  DoctorFlags flags;
  CLI::App app(
      "Say what works on this machine with these models, one line each, and what to do about what "
      "does not. Exit code 1 if something needed does not work.",
      "gelato doctor");
  set_up(app);
  flags.models.add_to(app);
  app.add_flag("--no-measure", flags.no_measure, "Do not measure whether speculation pays");
  app.add_flag("--measure", flags.measure.wanted,
               "Measure the device profile this-machine with the draft model, and write it");
  app.add_option("--profile", flags.measure.profile,
                 "Where it goes (default: gelato/profiles below $XDG_CONFIG_HOME or ~/.config)")
      ->type_name("FILE")
      ->needs("--measure");
  for (const auto& [name, value, what] :
       {std::tuple{"--draft-watts", &flags.measure.draft_watts, "while drafting"},
        std::tuple{"--idle-watts", &flags.measure.idle_watts, "at rest"}}) {
    app.add_option(name, *value,
                   fmt::format("Power of this device {} (default: measured, or an estimate)", what))
        ->type_name("W")
        ->check(CLI::Range(0.0, 2000.0))
        ->needs("--measure");
  }
  app.add_option("--sysfs", flags.sysfs, "Where the sensors are (default: /sys)")
      ->type_name("FOLDER");
  add_json_option(app, flags.json);
  app.footer("\nExample:\n  gelato doctor -m target.gguf -md draft.gguf\n");
  int exit_code = kSuccess;
  if (!parse(app, arguments, exit_code)) {
    return exit_code;
  }
  const auto healthy = doctor(flags);
  if (!healthy) {
    return print_error(healthy.error());
  }
  return *healthy ? kSuccess : kFailed;
}

}  // namespace gelato::cli
