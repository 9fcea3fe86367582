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

// One contender, every prompt.
Result<Measurement> measure(Contender& contender, const ComparisonPlan& plan,
                            const std::function<void()>& step, std::vector<Generation>* texts) {
  std::optional<Measurement> sum;
  for (const std::string& prompt : plan.prompts) {
    auto generation = contender.generate(prompt);
    if (!generation) {
      return fail(generation.error());
    }
    if (interrupted()) {
      return fail(ErrorCode::kCancelled, "interrupted before anything was measured");
    }
    if (sum) {
      *sum += generation->cost;
    } else {
      sum = generation->cost;
    }
    if (texts != nullptr) {
      texts->push_back(std::move(*generation));
    }
    step();
  }
  return sum.value_or(Measurement{});
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
  for (Contender* contender : contenders) {
    Row& row = rows.emplace_back(Row{.label = contender->label(), .repetitions = {}, .texts = {}});
    if (auto first = measure(*contender, plan, step, &row.texts); !first) {
      return fail(first.error());
    }
  }
  for (std::uint32_t repetition = 0; repetition < plan.repetitions; ++repetition) {
    std::vector<Measurement> turn;
    for (Contender* contender : contenders) {
      auto measured = measure(*contender, plan, step, nullptr);
      if (!measured && interrupted() && repetition > 0) {
        return rows;
      }
      if (!measured) {
        return fail(measured.error());
      }
      turn.push_back(*measured);
    }
    for (std::size_t i = 0; i < rows.size(); ++i) {
      rows[i].repetitions.push_back(turn[i]);
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
