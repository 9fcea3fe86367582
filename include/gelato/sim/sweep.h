// Runs a scenario: every entry in every cell, on several threads, with the same result whatever
// their number.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "gelato/base/result.h"
#include "gelato/sim/scenario.h"
#include "gelato/sim/simulation.h"
#include "gelato/sim/theorem.h"

namespace gelato::sim {

// What one run came to. Sums over its devices; energy by full accounting.
struct RunSummary {
  DeviceTotals total;
  double rate = 0.0;      // tokens/s, sum over devices
  double slowest = 0.0;   // tokens/s of the device with the fewest
  double fairness = 1.0;  // Jain's index of the devices' tokens/s
  std::uint64_t edge_passes = 0;
  Seconds edge_busy;
  Seconds elapsed;  // of the whole run; DeviceTotals::elapsed sums over devices
};

RunSummary summarise(const RunResult& result);

// Tokens per second of all devices together, tokens over time; with paper accounting the mean over
// rounds of tokens / time, as GELATO's problem (5) has it.
double tokens_per_second(const RunSummary& run, Accounting accounting);
// Joules of `accounting` per token.
double joules_per_token(const RunSummary& run, Accounting accounting);

// One round, for figures that show a run step by step.
struct RoundSample {
  std::uint64_t planned = 0;  // RoundPlan::max_draft
  std::uint64_t drafted = 0;
  std::uint64_t committed = 0;
  Seconds elapsed;
  Joules energy;  // by the scenario's accounting

  friend bool operator==(const RoundSample&, const RoundSample&) = default;
};

// One entry in one cell.
struct Row {
  std::size_t cell = 0;
  std::size_t entry = 0;
  std::string policy;                   // the candidate that was chosen, with its parameters
  std::vector<RunSummary> runs;         // one per seed
  std::optional<TheoremCheck> theorem;  // of `gelato-paper`, with the first seed
  std::vector<RoundSample> rounds;      // the first ones of the first seed's first device

  // Of all runs together.
  [[nodiscard]] double tokens_per_second(Accounting accounting) const;
  [[nodiscard]] double joules_per_token(Accounting accounting) const;
};

struct SweepOptions {
  std::uint64_t seed = 0;
  unsigned threads = 1;  // >= 1
  // Called from one thread at a time after each row; false stops the sweep.
  std::function<bool(const Row& row)> on_row;
  std::vector<Row> done;  // rows of an earlier, interrupted sweep of the same scenario and seed
};

// Rows in the order of cells, and of entries within a cell.
// Errors: those of simulate(); kCancelled when on_row returned false.
Result<std::vector<Row>> run_sweep(const Scenario& scenario, const SweepOptions& options);

// One row alone. Errors: those of simulate().
Result<Row> run_row(const Scenario& scenario, std::size_t cell, std::size_t entry,
                    std::uint64_t seed);

}  // namespace gelato::sim
