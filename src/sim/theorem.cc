#include "gelato/sim/theorem.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "gelato/control/gelato_paper.h"
#include "gelato/sim/simulation.h"

namespace gelato::sim {
namespace {

// Steps of one device, as the queue sees them.
class Steps final : public RoundObserver {
 public:
  explicit Steps(Joules budget) : budget_(budget) {}

  void on_round(const RoundRecord& round) override {
    if (round.device != 0) {
      return;
    }
    const double rate = round.outcome.committed / round.outcome.elapsed.value();
    const double over = (round.outcome.energy - budget_).value();
    ++count_;
    energy_ += round.outcome.energy;
    rate_ += rate;
    slowest_ = std::min(slowest_, rate);
    fastest_ = std::max(fastest_, rate);
    drift_ = std::max(drift_, over * over / 2.0);
  }

  [[nodiscard]] double count() const { return static_cast<double>(count_); }
  [[nodiscard]] Joules energy() const { return energy_ / count(); }
  [[nodiscard]] double rate() const { return rate_ / count(); }
  [[nodiscard]] double spread() const { return fastest_ - slowest_; }
  [[nodiscard]] double drift() const { return drift_; }

 private:
  Joules budget_;
  std::uint64_t count_ = 0;
  Joules energy_;
  double rate_ = 0.0;
  double slowest_ = std::numeric_limits<double>::infinity();
  double fastest_ = 0.0;
  double drift_ = 0.0;  // B
};

Result<Steps> observe(const Setting& setting, const std::string& policy, Joules budget,
                      std::uint64_t seed) {
  std::vector<std::unique_ptr<control::Policy>> policies;
  for (std::uint32_t i = 0; i < setting.devices; ++i) {
    auto made = control::make_policy(policy);
    if (!made) {
      return fail(made.error());
    }
    policies.push_back(*std::move(made));
  }
  Steps steps(budget);
  const auto run = simulate(setting, policies, {.seed = seed, .observer = &steps, .foresight = {}});
  return run ? Result<Steps>(steps) : fail(run.error());
}

// Best mean rate of a mixture of `lengths` whose mean energy keeps the budget: at most two of them.
double best_mixture(const std::vector<Steps>& lengths, Joules budget) {
  double best = 0.0;
  for (const Steps& a : lengths) {
    if (a.energy() > budget) {
      continue;
    }
    best = std::max(best, a.rate());
    for (const Steps& b : lengths) {
      if (b.energy() > budget) {
        const double share = (budget - a.energy()) / (b.energy() - a.energy());
        best = std::max(best, a.rate() + share * (b.rate() - a.rate()));
      }
    }
  }
  return best;
}

}  // namespace

bool has_theorem(std::string_view policy) {
  return policy.substr(0, policy.find(':')) == control::kGelatoPaper.name;
}

Result<TheoremCheck> check_theorem(const Setting& setting, const std::string& policy,
                                   std::uint64_t seed) {
  if (!has_theorem(policy)) {
    return fail(ErrorCode::kInvalidArgument, "Theorem 1 is about gelato-paper only");
  }
  const std::size_t colon = policy.find(':');
  const auto values = control::parse_parameters(
      control::kGelatoPaper, colon == std::string::npos ? "" : policy.substr(colon + 1));
  if (!values) {
    return fail(values.error());
  }
  const double v = (*values)[0];
  const Joules budget((*values)[1]);
  const auto longest = static_cast<std::uint32_t>((*values)[5]);
  const auto steps = observe(setting, policy, budget, seed);
  if (!steps) {
    return fail(steps.error());
  }
  std::vector<Steps> lengths;
  for (std::uint32_t length = 1; length <= longest; ++length) {
    auto fixed = observe(setting, fmt::format("static:{}", length), budget, seed);
    if (!fixed) {
      return fail(fixed.error());
    }
    lengths.push_back(*fixed);
  }
  const double b = steps->drift();
  return TheoremCheck{
      .overshoot = steps->energy() - budget,
      .overshoot_bound = Joules(std::sqrt(2.0 * (b + v * steps->spread()) / steps->count())),
      .gap = best_mixture(lengths, budget) - steps->rate(),
      .gap_bound = b / v};
}

}  // namespace gelato::sim
