#include "gelato/comparison_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace gelato::cli {
namespace {

double median(const Row& row, double (Measurement::*quantity)() const) {
  return row.summary(quantity).median();
}

// All repetitions together.
Measurement total(const Row& row) {
  Measurement sum = row.repetitions.front();
  for (std::size_t i = 1; i < row.repetitions.size(); ++i) {
    sum += row.repetitions[i];
  }
  return sum;
}

// What drafting and verifying cost, in steps of the target: the time that the target alone takes
// for a token.
struct StepCosts {
  double draft;        // one drafted token
  double verify;       // one pass over the draft and a token
  double pass_tokens;  // in that pass, on average
  double round;        // the whole draft and the pass
  double committed;    // tokens that a round brings
};

StepCosts step_costs(const Row& alone, const Row& row) {
  const Measurement target = total(alone);
  const Measurement sum = total(row);
  const Seconds step = (target.total - target.prefill) / static_cast<double>(target.tokens);
  const auto rounds = static_cast<double>(sum.rounds);
  return {.draft = sum.drafting / static_cast<double>(sum.drafted) / step,
          .verify = sum.verifying / rounds / step,
          .pass_tokens = static_cast<double>(sum.drafted) / rounds + 1.0,
          .round = (sum.drafting + sum.verifying) / rounds / step,
          .committed = sum.mean_committed()};
}

// Of the rows of ours that drafted, the one with the highest rate; null if there is none. How long
// another program drafts is not known.
const Row* fastest(std::span<const Row> rows, const Row& alone) {
  const Row* best = nullptr;
  for (const Row& row : rows) {
    if (row.repetitions.front().drafting > Seconds() && row.repetitions.front().drafted > 0 &&
        (best == nullptr ||
         row.speed_relative_to(alone).median() > best->speed_relative_to(alone).median())) {
      best = &row;
    }
  }
  return best;
}

}  // namespace

std::string percent(double fraction) {
  return std::isfinite(fraction) ? fmt::format("{:.1f} %", 100.0 * fraction) : "-";
}

std::string comparison_table(std::span<const Row> rows, const Row& alone,
                             const report::Terminal& terminal,
                             const std::vector<ExtraColumn>& more) {
  using report::Align;
  std::vector<report::Column> columns = {{"policy"},
                                         {"tok/s", Align::kRight},
                                         {"min..max", Align::kRight},
                                         {"accepted", Align::kRight},
                                         {"per round", Align::kRight},
                                         {"passes/token", Align::kRight},
                                         {"x target alone", Align::kRight}};
  for (const ExtraColumn& extra : more) {
    columns.push_back({extra.title, Align::kRight});
  }
  report::Table table(std::move(columns));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Row& row = rows[i];
    const report::Summary speed = row.summary(&Measurement::decode_tokens_per_s);
    std::vector<report::Cell> cells = {
        row.label,
        report::number(speed.median(), 0),
        fmt::format("{:.0f}..{:.0f}", speed.min(), speed.max()),
        percent(median(row, &Measurement::acceptance_rate)),
        report::number(median(row, &Measurement::mean_committed), 2),
        report::number(median(row, &Measurement::passes_per_token), 2),
        report::number(row.speed_relative_to(alone).median(), 2)};
    for (const ExtraColumn& extra : more) {
      cells.emplace_back(extra.cell(i));
    }
    table.add_row(std::move(cells));
  }
  return table.render(terminal);
}

std::string explain(std::span<const Row> rows, const Row& alone) {
  const Row* best = fastest(rows, alone);
  if (best == nullptr) {
    return {};
  }
  const report::Summary speed = best->speed_relative_to(alone);
  const std::string verdict = speed.max() < 1.0   ? "Speculation does not pay here"
                              : speed.min() > 1.0 ? "Speculation pays here"
                                                  : "Speculation makes no clear difference here";
  const StepCosts cost = step_costs(alone, *best);
  return fmt::format(
      "{}: {} runs at {:.2f} times the speed of the target alone.\nA drafted token costs {:.2f} of "
      "a target step and checking {:.1f} tokens in one pass {:.2f}, so a round costs {:.2f} steps "
      "and brings {:.2f} tokens.\n",
      verdict, best->label, speed.median(), cost.draft, cost.pass_tokens, cost.verify, cost.round,
      cost.committed);
}

nlohmann::json to_json(const report::Summary& summary) {
  return {{"median", summary.median()}, {"min", summary.min()}, {"max", summary.max()}};
}

nlohmann::json to_json(const Row& row, const Row& alone) {
  const Measurement sum = total(row);
  return {{"label", row.label},
          {"repetitions", row.repetitions.size()},
          {"tokens", row.repetitions.front().tokens},
          {"tokens_per_s", to_json(row.summary(&Measurement::tokens_per_s))},
          {"decode_tokens_per_s", to_json(row.summary(&Measurement::decode_tokens_per_s))},
          {"speedup_vs_target", to_json(row.speed_relative_to(alone))},
          {"acceptance_rate", sum.acceptance_rate()},
          {"mean_committed", sum.mean_committed()},
          {"target_passes_per_token", sum.passes_per_token()},
          {"outside_decode_fraction", median(row, &Measurement::outside_decode)}};
}

}  // namespace gelato::cli
