#include "gelato/comparison_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
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

std::string_view to_string(Pays pays) {
  switch (pays) {
    case Pays::kYes:
      return "pays";
    case Pays::kNo:
      return "does not pay";
    case Pays::kUnclear:
      break;
  }
  return "makes no clear difference";
}

std::optional<Verdict> judge_speculation(std::span<const Row> rows, const Row& alone) {
  const Row* best = fastest(rows, alone);
  if (best == nullptr) {
    return std::nullopt;
  }
  const report::Summary speed = best->speed_relative_to(alone);
  const Measurement target = total(alone);
  const Measurement sum = total(*best);
  const Seconds step = (target.total - target.prefill) / static_cast<double>(target.tokens);
  const auto rounds = static_cast<double>(sum.rounds);
  const auto drafted = static_cast<double>(sum.drafted);
  return Verdict{.pays = speed.max() < 1.0   ? Pays::kNo
                         : speed.min() > 1.0 ? Pays::kYes
                                             : Pays::kUnclear,
                 .label = best->label,
                 .speed = speed.median(),
                 .draft_cost = sum.drafting / drafted / step,
                 .pass_cost = sum.verifying / rounds / step,
                 .pass_tokens = drafted / rounds + 1.0,
                 .round_cost = (sum.drafting + sum.verifying) / rounds / step,
                 .committed = sum.mean_committed()};
}

std::string explain(std::span<const Row> rows, const Row& alone) {
  const auto verdict = judge_speculation(rows, alone);
  if (!verdict) {
    return {};
  }
  return fmt::format(
      "Speculation {} here: {} runs at {:.2f} times the speed of the target alone.\nA drafted "
      "token costs "
      "{:.2f} of a target step and checking {:.1f} tokens in one pass {:.2f}, so a round costs "
      "{:.2f} steps and brings {:.2f} tokens.\n",
      to_string(verdict->pays), verdict->label, verdict->speed, verdict->draft_cost,
      verdict->pass_tokens, verdict->pass_cost, verdict->round_cost, verdict->committed);
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
