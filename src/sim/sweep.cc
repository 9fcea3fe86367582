#include "gelato/sim/sweep.h"

#include <algorithm>
#include <limits>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "gelato/sim/oracle.h"

namespace gelato::sim {
namespace {

double joules(const RunSummary& run, Accounting accounting) {
  const energy::PhaseJoules& energy = run.total.energy;
  return (accounting == Accounting::kPaper ? energy.paper_accounting() : energy.total()).value();
}

// Smaller is better.
double loss(const Row& row, Tune tune, Accounting accounting) {
  return tune == Tune::kJoulesPerToken ? row.joules_per_token(accounting)
                                       : -row.tokens_per_second(accounting);
}

// Keeps the first rounds of the first device.
class Recorder final : public RoundObserver {
 public:
  Recorder(std::vector<RoundSample>& out, std::size_t most) : out_(&out), most_(most) {
    out.reserve(most);
  }
  void on_round(const RoundRecord& round) override {
    if (round.device == 0 && out_->size() < most_) {
      const control::RoundOutcome& o = round.outcome;
      out_->push_back({round.plan.max_draft, o.drafted, o.committed, o.elapsed, o.energy});
    }
  }

 private:
  std::vector<RoundSample>* out_;
  std::size_t most_;
};

Result<RunSummary> run_once(const Setting& setting, const std::string& policy, std::uint64_t seed,
                            RoundObserver* observer) {
  if (is_oracle(policy)) {
    const auto bound = run_oracle(setting, policy == kOracleOneInFlight, seed);
    return bound ? Result<RunSummary>(summarise(*bound)) : fail(bound.error());
  }
  std::vector<std::unique_ptr<control::Policy>> policies;
  for (std::uint32_t i = 0; i < setting.devices; ++i) {
    auto made = control::make_policy(policy);
    if (!made) {
      return fail(made.error());
    }
    policies.push_back(*std::move(made));
  }
  const auto result =
      simulate(setting, policies, {.seed = seed, .observer = observer, .foresight = {}});
  return result ? Result<RunSummary>(summarise(*result)) : fail(result.error());
}

Result<Row> run_candidate(const Scenario& scenario, std::size_t cell, std::size_t entry,
                          const std::string& policy, std::uint64_t seed) {
  Row row{.cell = cell, .entry = entry, .policy = policy, .runs = {}, .theorem = {}, .rounds = {}};
  Recorder recorder(row.rounds, scenario.record_rounds);
  for (std::uint32_t i = 0; i < scenario.seeds; ++i) {
    auto run =
        run_once(scenario.cells[cell].setting, policy, seed + i, i == 0 ? &recorder : nullptr);
    if (!run) {
      return fail(run.error());
    }
    row.runs.push_back(*run);
  }
  return row;
}

// Hands the rows that are missing to threads, and collects them in order.
class Sweep {
 public:
  Sweep(const Scenario& scenario, const SweepOptions& options)
      : scenario_(scenario), options_(options), entries_(scenario.entries.size()) {
    rows_.resize(scenario.cells.size() * entries_);
    for (const Row& row : options.done) {
      rows_.at(row.cell * entries_ + row.entry) = row;
    }
  }

  Result<std::vector<Row>> run() {
    std::vector<std::thread> threads;
    for (unsigned i = 1; i < options_.threads; ++i) {
      threads.emplace_back([this] { work(); });
    }
    work();
    for (std::thread& thread : threads) {
      thread.join();
    }
    if (error_) {
      return fail(*error_);
    }
    std::vector<Row> rows;
    for (std::optional<Row>& row : rows_) {
      rows.push_back(*std::move(row));
    }
    return rows;
  }

 private:
  void work() {
    while (const auto next = take()) {
      auto row = run_row(scenario_, *next / entries_, *next % entries_, options_.seed);
      const std::lock_guard lock(mutex_);
      if (!row) {
        error_ = error_.value_or(row.error());
        continue;
      }
      rows_[*next] = *std::move(row);
      if (options_.on_row && !options_.on_row(*rows_[*next])) {
        error_ = error_.value_or(Error{ErrorCode::kCancelled, "interrupted"});
      }
    }
  }

  std::optional<std::size_t> take() {
    const std::lock_guard lock(mutex_);
    while (next_ < rows_.size() && rows_[next_]) {
      ++next_;
    }
    if (error_ || next_ == rows_.size()) {
      return std::nullopt;
    }
    return next_++;
  }

  const Scenario& scenario_;
  const SweepOptions& options_;
  std::size_t entries_;
  std::mutex mutex_;
  std::vector<std::optional<Row>> rows_;
  std::size_t next_ = 0;
  std::optional<Error> error_;
};

}  // namespace

RunSummary summarise(const RunResult& result) {
  RunSummary out{.total = result.total(),
                 .edge_passes = result.edge_passes,
                 .edge_busy = result.edge_busy,
                 .elapsed = result.elapsed};
  double sum = 0.0;
  double squares = 0.0;
  out.slowest = std::numeric_limits<double>::infinity();
  for (const DeviceTotals& device : result.devices) {
    const double rate = static_cast<double>(device.tokens) / device.elapsed.value();
    out.slowest = std::min(out.slowest, rate);
    sum += rate;
    squares += rate * rate;
  }
  out.rate = sum;
  out.fairness = sum * sum / (static_cast<double>(result.devices.size()) * squares);
  return out;
}

double tokens_per_second(const RunSummary& run, Accounting accounting) {
  if (accounting == Accounting::kPaper) {
    return run.total.round_throughput / static_cast<double>(run.total.rounds);
  }
  return run.rate;
}

double joules_per_token(const RunSummary& run, Accounting accounting) {
  return joules(run, accounting) / static_cast<double>(run.total.tokens);
}

double Row::tokens_per_second(Accounting accounting) const {
  double sum = 0.0;
  for (const RunSummary& run : runs) {
    sum += sim::tokens_per_second(run, accounting);
  }
  return sum / static_cast<double>(runs.size());
}

double Row::joules_per_token(Accounting accounting) const {
  double sum = 0.0;
  for (const RunSummary& run : runs) {
    sum += sim::joules_per_token(run, accounting);
  }
  return sum / static_cast<double>(runs.size());
}

Result<Row> run_row(const Scenario& scenario, std::size_t cell, std::size_t entry,
                    std::uint64_t seed) {
  const Accounting accounting = scenario.cells[cell].setting.accounting;
  const Tune tune = scenario.entries[entry].tune;
  std::optional<Row> best;
  for (const std::string& policy : scenario.cells[cell].candidates[entry]) {
    auto row = run_candidate(scenario, cell, entry, policy, seed);
    if (!row) {
      return row;
    }
    if (!best || loss(*row, tune, accounting) < loss(*best, tune, accounting)) {
      best = *std::move(row);
    }
  }
  if (has_theorem(best->policy)) {
    const auto check = check_theorem(scenario.cells[cell].setting, best->policy, seed);
    if (!check) {
      return fail(check.error());
    }
    best->theorem = *check;
  }
  return *std::move(best);
}

Result<std::vector<Row>> run_sweep(const Scenario& scenario, const SweepOptions& options) {
  return Sweep(scenario, options).run();
}

}  // namespace gelato::sim
