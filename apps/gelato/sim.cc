// gelato sim: scenarios on the virtual clock.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "gelato/cli.h"
#include "gelato/commands.h"
#include "gelato/model_options.h"
#include "gelato/report/manifest.h"
#include "gelato/report/output.h"
#include "gelato/report/progress.h"
#include "gelato/sim/scenario.h"
#include "gelato/sim/sweep.h"
#include "gelato/sim_report.h"

namespace gelato::cli {
namespace {

struct SimFlags {
  std::string scenario;
  std::string json;
  std::string csv;
  std::uint64_t seed = 0;
  unsigned threads = 0;
  bool shortened = false;
};

sim::ScenarioPlaces find_places() {
  const auto below = [](const std::string& name) {
    const std::string here = find_upwards("assets/" + name);
    return here.empty() ? find_upwards("share/gelato/" + name) : here;
  };
  return {.profiles = below("profiles"), .traces = below("traces")};
}

nlohmann::json manifest_of(const SimFlags& flags) {
  return report::to_json({.seed = flags.seed, .machine = report::this_machine(), .models = {}});
}

Result<void> simulate(const SimFlags& flags) {
  for (const std::string& path : {flags.json, flags.csv}) {
    if (auto ok = check_json(path); !ok) {
      return ok;
    }
  }
  const auto scenario = sim::load_scenario(flags.scenario, find_places(),
                                           {.seed = flags.seed, .shortened = flags.shortened});
  if (!scenario) {
    return fail(scenario.error());
  }
  const SteadyClock clock;
  std::uint64_t done = 0;
  std::vector<sim::Row> rows;
  {
    report::Progress progress("simulating", scenario->cells.size() * scenario->entries.size(),
                              report::terminal_of(STDERR_FILENO), clock,
                              [](std::string_view text) { Output(STDERR_FILENO).write(text); });
    auto result = sim::run_sweep(
        *scenario,
        {.seed = flags.seed,
         .threads =
             flags.threads > 0 ? flags.threads : std::max(1U, std::thread::hardware_concurrency()),
         .on_row =
             [&](const sim::Row&) {
               progress.update(++done);
               return !interrupted();
             },
         .done = {}});
    if (!result) {
      return fail(result.error());
    }
    rows = *std::move(result);
  }
  nlohmann::json result = manifest_of(flags);
  result.update(sim_result(*scenario, rows));
  if (!flags.csv.empty()) {
    if (auto ok = report::write_output(flags.csv, sim_csv(result)); !ok) {
      return ok;
    }
  }
  const int descriptor = text_descriptor(flags.json);
  Output(descriptor).write(sim_table(*scenario, rows, report::terminal_of(descriptor)));
  return flags.json.empty() ? Result<void>{} : report::write_json(flags.json, result);
}

}  // namespace

int sim_command(const std::vector<std::string>& arguments) {
  CLI::App app{"Replay traces through policies, links and devices on a virtual clock."};
  app.name("gelato sim");
  set_up(app);
  SimFlags flags;
  app.add_option("SCENARIO", flags.scenario, "A scenario file, or a folder with scenario.toml")
      ->required();
  app.add_option("-s,--seed", flags.seed, "Seed of links and synthetic traces");
  app.add_option("-t,--threads", flags.threads, "Threads; 0: one per processor")
      ->check(in_range(0, 1024));
  app.add_flag("--short", flags.shortened, "The scenario's short version");
  add_json_option(app, flags.json);
  app.add_option("--csv", flags.csv, "Write the rows as comma-separated values to FILE")
      ->type_name("FILE");
  app.footer("Example:\n  gelato sim experiments/gelato-fig5 --json fig5.json");
  int exit_code = kSuccess;
  if (!parse(app, arguments, exit_code)) {
    return exit_code;
  }
  const auto ok = simulate(flags);
  return ok ? kSuccess : print_error(ok.error());
}

}  // namespace gelato::cli
