#include "gelato/comparison.h"

#include <optional>
#include <utility>

#include "gelato/cli.h"

namespace gelato::cli {
namespace {

std::vector<double> rates(const Row& row) {
  std::vector<double> out;
  for (const Measurement& m : row.repetitions) {
    out.push_back(m.decode_tokens_per_s());
  }
  return out;
}

// One turn: prompt by prompt, every contender after the other. Adds each contender's measurements
// to its place in `costs`, and its texts to those of `texts` unless that is null.
Result<void> take_turns(std::span<Contender* const> contenders, const ComparisonPlan& plan,
                        const std::function<void()>& step,
                        std::vector<std::optional<Measurement>>& costs, std::vector<Row>* texts) {
  for (const std::string& prompt : plan.prompts) {
    for (std::size_t i = 0; i < contenders.size(); ++i) {
      auto generation = contenders[i]->generate(prompt);
      if (interrupted()) {
        return fail(ErrorCode::kCancelled, "interrupted before anything was measured");
      }
      if (!generation) {
        return fail(generation.error());
      }
      costs[i] = costs[i] ? *costs[i] += generation->cost : generation->cost;
      if (texts != nullptr) {
        (*texts)[i].texts.push_back(std::move(*generation));
      }
      step();
    }
  }
  return {};
}

}  // namespace

report::Summary Row::summary(double (Measurement::*quantity)() const) const {
  std::vector<double> values;
  for (const Measurement& m : repetitions) {
    values.push_back((m.*quantity)());
  }
  return report::Summary(std::move(values));
}

report::Summary Row::speed_relative_to(const Row& other) const {
  return report::paired_ratios(rates(*this), rates(other));
}

Result<std::vector<Row>> compare(std::span<Contender* const> contenders, const ComparisonPlan& plan,
                                 const std::function<void()>& step) {
  std::vector<Row> rows;
  for (const Contender* contender : contenders) {
    rows.push_back({.label = contender->label(), .repetitions = {}, .texts = {}});
  }
  for (std::uint32_t turn = 0; turn <= plan.repetitions; ++turn) {
    const bool measured = turn > 0;
    std::vector<std::optional<Measurement>> costs(rows.size());
    if (auto ok = take_turns(contenders, plan, step, costs, measured ? nullptr : &rows); !ok) {
      if (interrupted() && turn > 1) {
        return rows;
      }
      return fail(ok.error());
    }
    for (std::size_t i = 0; measured && i < rows.size(); ++i) {
      rows[i].repetitions.push_back(costs[i].value_or(Measurement{}));
    }
  }
  return rows;
}

Result<TextMatch> match_texts(const device::LocalSession& session, const ComparisonPlan& plan,
                              const Row& alone, const Row& row) {
  TextMatch worst;
  for (std::size_t i = 0; i < plan.prompts.size(); ++i) {
    const auto prompt = session.tokenize(plan.prompts[i], false);
    if (!prompt) {
      return fail(prompt.error());
    }
    const auto match =
        match_greedy(session.target(), *prompt, alone.texts[i].tokens, row.texts[i].tokens);
    if (!match) {
      return fail(match.error());
    }
    if (match->agreement > worst.agreement) {
      worst = *match;
    }
  }
  return worst;
}

}  // namespace gelato::cli
