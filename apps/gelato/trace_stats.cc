// gelato trace stats: figures 2 and 3 of GELATO (arXiv 2605.10124) for a recorded pair.
#include "gelato/sim/trace_stats.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <nlohmann/json.hpp>

#include "gelato/cli.h"
#include "gelato/control/paper_equations.h"
#include "gelato/report/manifest.h"
#include "gelato/report/output.h"
#include "gelato/report/table.h"
#include "gelato/sim/trace_file.h"
#include "gelato/trace.h"

namespace gelato::cli {
namespace {

struct StatsFlags {
  std::string file;
  double bin = 0.25;
  std::uint32_t prob_bits = 16;
  std::string json;
};

struct Stats {
  std::vector<sim::EntropyBin> bins;
  sim::EntropyFit fit;
  sim::TopSetStats sets;
};

nlohmann::json to_json(const Stats& stats, std::uint32_t prob_bits) {
  auto bins = nlohmann::json::array();
  for (const sim::EntropyBin& bin : stats.bins) {
    const bool seen = bin.rows > 0;
    bins.push_back({{"entropy_low_nats", bin.low},
                    {"entropy_high_nats", bin.high},
                    {"rows", bin.rows},
                    {"mean_entropy_nats", seen ? nlohmann::json(bin.mean_entropy) : nullptr},
                    {"acceptance_rate", seen ? nlohmann::json(bin.acceptance) : nullptr}});
  }
  return {{"entropy",
           {{"bins", bins},
            {"decay", stats.fit.decay},
            {"decay_standard_error", stats.fit.standard_error},
            {"calibration_error", stats.fit.calibration_error},
            {"paper_decay", control::paper::kEntropyDecay}}},
          {"top_sets",
           {{"mean", stats.sets.mean},
            {"median", stats.sets.median},
            {"p90", stats.sets.p90},
            {"p99", stats.sets.p99},
            {"max", stats.sets.max},
            {"prob_bits", prob_bits},
            {"mean_payload_bits", stats.sets.mean_payload.value()},
            {"full_payload_bits", stats.sets.full_payload.value()},
            {"mass_lost", stats.sets.mass_lost},
            {"histogram", stats.sets.histogram}}}};
}

std::string entropy_table(const Stats& stats, const report::Terminal& terminal) {
  using report::Align;
  report::Table table({{"entropy (nats)", Align::kLeft},
                       {"rows", Align::kRight},
                       {"accepted", Align::kRight},
                       {"fit", Align::kRight},
                       {"the paper's", Align::kRight}});
  const auto percent = [](double share) { return fmt::format("{:.1f} %", 100.0 * share); };
  for (const sim::EntropyBin& bin : stats.bins) {
    if (bin.rows > 0) {
      table.add_row({fmt::format("{:.2f} to {:.2f}", bin.low, bin.high),
                     fmt::format("{}", bin.rows), percent(bin.acceptance),
                     percent(std::exp(-stats.fit.decay * bin.mean_entropy)),
                     percent(std::exp(-control::paper::kEntropyDecay * bin.mean_entropy))});
    }
  }
  return table.render(terminal) +
         fmt::format(
             "\nacceptance = exp(-a H): a = {:.3f} +- {:.3f} (the paper's pair: {}), off by "
             "{:.1f} points in the mean\n",
             stats.fit.decay, stats.fit.standard_error, control::paper::kEntropyDecay,
             100.0 * stats.fit.calibration_error);
}

std::string top_set_table(const sim::TopSetStats& sets, double top_p, std::uint32_t prob_bits,
                          const report::Terminal& terminal) {
  using report::Align;
  report::Table table({{"tokens in the top-p set", Align::kLeft}, {"rows", Align::kRight}});
  for (std::size_t k = 0; k < sets.histogram.size(); ++k) {
    const std::size_t low = std::size_t{1} << k;
    table.add_row({low == 1 ? "1" : fmt::format("{} to {}", low, 2 * low - 1),
                   fmt::format("{}", sets.histogram[k])});
  }
  return table.render(terminal) +
         fmt::format(
             "\ntop-p {}: mean {:.1f}, median {}, 90 % {}, 99 % {}, largest {} tokens\n"
             "a row: {:.0f} bits in the mean with {}-bit probabilities, {:.0f} for the "
             "whole vocabulary; at most {:.2g} of its mass is lost\n",
             top_p, sets.mean, sets.median, sets.p90, sets.p99, sets.max, sets.mean_payload.value(),
             prob_bits, sets.full_payload.value(), sets.mass_lost);
}

Result<void> stats(const StatsFlags& flags) {
  if (!(flags.bin >= 0.01 && flags.bin <= 10.0)) {
    return fail(ErrorCode::kInvalidArgument, "--bin must be between 0.01 and 10 nats");
  }
  if (auto ok = check_json(flags.json); !ok) {
    return ok;
  }
  const auto trace = sim::read_trace(flags.file);
  if (!trace) {
    return fail(trace.error());
  }
  Stats stats{.bins = sim::entropy_bins(*trace, flags.bin), .fit = {}, .sets = {}};
  stats.fit = sim::fit_entropy(*trace, stats.bins);
  stats.sets = sim::top_set_stats(*trace, Bits(flags.prob_bits));

  const int text_to = text_descriptor(flags.json);
  const report::Terminal terminal = report::terminal_of(text_to);
  Output out(text_to);
  out.write(entropy_table(stats, terminal) + "\n" +
            top_set_table(stats.sets, trace->top_p, flags.prob_bits, terminal));
  if (!flags.json.empty()) {
    nlohmann::json result = report::to_json(
        report::RunManifest{.seed = 0, .machine = report::this_machine(), .models = {}});
    result["trace"] = describe_trace(*trace);
    result.update(to_json(stats, flags.prob_bits));
    if (auto ok = report::write_json(flags.json, result); !ok) {
      return ok;
    }
  }
  return out.status();
}

}  // namespace

int trace_stats_command(const std::vector<std::string>& arguments) {
  StatsFlags flags;
  CLI::App app(
      "How a draft's acceptance follows from its row's entropy, with the fit exp(-a H), and how "
      "large its top-p sets are; over the first drafted token of every position.",
      "gelato trace stats");
  set_up(app);
  app.add_option("trace", flags.file, "The trace")->required()->type_name("FILE");
  app.add_option("--bin", flags.bin, "Width of an entropy bin in nats (default: 0.25)")
      ->type_name("H");
  app.add_option("--prob-bits", flags.prob_bits,
                 "Bits of a probability on the uplink (default: 16)")
      ->type_name("N")
      ->check(in_range(1, 64));
  add_json_option(app, flags.json);
  app.footer("Example:\n  gelato trace stats tale.trace\n");
  int exit_code = kSuccess;
  if (!parse(app, arguments, exit_code)) {
    return exit_code;
  }
  const auto ok = stats(flags);
  return ok ? kSuccess : print_error(ok.error());
}

}  // namespace gelato::cli
