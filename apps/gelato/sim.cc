// gelato sim: scenarios on the virtual clock.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "gelato/cli.h"
#include "gelato/commands.h"
#include "gelato/model_options.h"
#include "gelato/report/manifest.h"
#include "gelato/report/output.h"
#include "gelato/report/progress.h"
#include "gelato/result_output.h"
#include "gelato/sim/scenario.h"
#include "gelato/sim/sweep.h"
#include "gelato/sim/sweep_state.h"
#include "gelato/sim_report.h"

namespace gelato::cli {
namespace {

struct SimFlags {
  std::string scenario;
  ResultFlags output;
  std::string state;
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

// Rows that an interrupted run of the same scenario left in `flags.state`, and the file open for
// more of them.
class State {
 public:
  static Result<State> open(const SimFlags& flags, const sim::Scenario& scenario) {
    State state;
    if (flags.state.empty()) {
      return state;
    }
    std::error_code ignored;
    std::string text = sim::state_head(scenario, report::version());
    if (std::filesystem::exists(flags.state, ignored)) {
      auto old = read_input(flags.state, sim::kMaxStateBytes);
      if (!old) {
        return fail(old.error());
      }
      auto rows = sim::parse_state(*old, scenario, report::version());
      if (!rows) {
        return fail(rows.error().code, flags.state + ": " + rows.error().message);
      }
      state.rows_ = *std::move(rows);
    }
    // Written anew, so that a line that was cut off does not stay.
    for (const sim::Row& row : state.rows_) {
      text += sim::state_line(row);
    }
    if (auto ok = report::write_output(flags.state, text); !ok) {
      return fail(ok.error());
    }
    state.file_.open(flags.state, std::ios::binary | std::ios::app);
    return state;
  }

  [[nodiscard]] const std::vector<sim::Row>& rows() const { return rows_; }
  // False: it could not be written.
  bool add(const sim::Row& row) {
    return !file_.is_open() || (file_ << sim::state_line(row) << std::flush).good();
  }

 private:
  std::vector<sim::Row> rows_;
  std::ofstream file_;
};

Result<std::vector<sim::Row>> run(const SimFlags& flags, const sim::Scenario& scenario) {
  auto state = State::open(flags, scenario);
  if (!state) {
    return fail(state.error());
  }
  const SteadyClock clock;
  std::uint64_t done = state->rows().size();
  report::Progress progress("simulating", scenario.cells.size() * scenario.entries.size(),
                            report::terminal_of(STDERR_FILENO), clock,
                            [](std::string_view text) { Output(STDERR_FILENO).write(text); });
  bool saved = true;
  const auto on_row = [&](const sim::Row& row) {
    progress.update(++done);
    saved = saved && state->add(row);
    return saved && !interrupted();
  };
  const unsigned threads =
      flags.threads > 0 ? flags.threads : std::max(1U, std::thread::hardware_concurrency());
  auto rows = sim::run_sweep(
      scenario, {.seed = flags.seed, .threads = threads, .on_row = on_row, .done = state->rows()});
  if (!saved) {
    return fail(ErrorCode::kIo, flags.state + " cannot be written; is the disk full?");
  }
  if (!rows && rows.error().code == ErrorCode::kCancelled) {
    return fail(
        ErrorCode::kCancelled,
        flags.state.empty()
            ? "interrupted; with --state FILE finished rows are kept"
            : fmt::format("interrupted after {} of {} rows; the same command goes on from "
                          "{}",
                          done, scenario.cells.size() * scenario.entries.size(), flags.state));
  }
  return rows;
}

Result<void> simulate(const SimFlags& flags) {
  if (auto ok = flags.output.check(); !ok) {
    return ok;
  }
  const auto scenario = sim::load_scenario(flags.scenario, find_places(),
                                           {.seed = flags.seed, .shortened = flags.shortened});
  if (!scenario) {
    return fail(scenario.error());
  }
  const auto rows = run(flags, *scenario);
  if (!rows) {
    return fail(rows.error());
  }
  nlohmann::json result = manifest_of(flags);
  result.update(sim_result(*scenario, *rows));
  const int descriptor = flags.output.text_descriptor();
  Output(descriptor).write(sim_table(*scenario, *rows, report::terminal_of(descriptor)));
  return flags.output.write(result);
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
  flags.output.add_to(app);
  app.add_option("--state", flags.state,
                 "Keep finished rows in FILE, and go on from it if it exists: for long sweeps")
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
