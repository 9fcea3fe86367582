// What a policy costs per drafted token, its share of begin_round and end_round included. The goal
// is 1 us: a draft model takes a thousand times as long for the token.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "gelato/base/rng.h"
#include "gelato/control/policy.h"
#include "gelato/control/policy_kind.h"
#include "tests/control/script.h"

namespace gelato::control {
namespace {

// Rows as a small model gives them: mostly certain, sometimes not. A power of two, to be walked
// round and round.
std::array<spec::RowStats, 1024> some_rows() {
  std::array<spec::RowStats, 1024> rows{};
  Rng rng(1, "rows");
  for (spec::RowStats& row : rows) {
    row.entropy = static_cast<float>(-0.4 * std::log(1.0 - rng.uniform()));
    row.top1_prob = std::exp(-row.entropy);
    row.margin = row.top1_prob * row.top1_prob;
  }
  return rows;
}

// Parameters of no consequence to the time: 5 where one is required.
std::string text_of(const PolicyKind& kind) {
  const bool required = !kind.parameters.empty() && std::isnan(kind.parameters[0].fallback);
  return std::string(kind.name) + (required ? ":5" : "");
}

void policy_per_token(benchmark::State& state) {
  const PolicyKind& kind = *policy_kinds()[static_cast<std::size_t>(state.range(0))];
  const auto policy = testing::make(text_of(kind));
  const auto rows = some_rows();
  const RoundContext context = testing::context(testing::some_cost());
  std::uint64_t tokens = 0;
  for ([[maybe_unused]] auto _ : state) {
    const RoundPlan plan = policy->begin_round(context);
    std::uint32_t drafted = 0;
    bool more = plan.max_draft > 0;
    while (more) {
      const DraftState draft{
          .drafted = ++drafted, .last = rows[tokens++ % rows.size()], .max_draft = plan.max_draft};
      more = drafted < plan.max_draft && policy->keep_drafting(draft);
    }
    tokens += drafted == 0 ? 1 : 0;  // a round without a draft is the cost of one token
    testing::end_round(*policy, drafted, drafted * 3 / 4);
  }
  state.SetLabel(policy->name());
  state.counters["per_token"] = benchmark::Counter(
      static_cast<double>(tokens), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(policy_per_token)->Apply([](benchmark::internal::Benchmark* b) {
  for (std::size_t i = 0; i < policy_kinds().size(); ++i) {
    b->Arg(static_cast<std::int64_t>(i));
  }
});

}  // namespace
}  // namespace gelato::control
