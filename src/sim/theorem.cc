#include "gelato/sim/theorem.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "gelato/control/gelato_paper.h"
#include "gelato/control/round_estimate.h"
#include "gelato/sim/simulation.h"

namespace gelato::sim {
namespace {

// How many standard errors count as chance: a false alarm in 16 000 runs.
constexpr double kErrors = 4.0;

// Mean of numbers and its standard error.
class Mean {
 public:
  void add(double x) {
    ++count_;
    sum_ += x;
    squares_ += x * x;
  }
  [[nodiscard]] double count() const { return static_cast<double>(count_); }
  [[nodiscard]] double value() const { return sum_ / count(); }
  [[nodiscard]] double error() const {
    const double variance = squares_ / count() - value() * value();
    return std::sqrt(std::max(variance, 0.0) / count());
  }

 private:
  std::uint64_t count_ = 0;
  double sum_ = 0.0;
  double squares_ = 0.0;
};

// Steps of one device, as the queue sees them.
class Steps final : public RoundObserver {
 public:
  Steps(Joules budget, double rho0) : budget_(budget), rho0_(rho0) {}

  void on_round(const RoundRecord& round) override {
    if (round.device != 0) {
      return;
    }
    const double rate = round.outcome.committed / round.outcome.elapsed.value();
    const double over = (round.outcome.energy - budget_).value();
    energy_.add(round.outcome.energy.value());
    rate_.add(rate);
    shortfall_.add(control::expected_tokens(rho0_, round.plan.max_draft) - round.outcome.committed);
    slowest_ = std::min(slowest_, rate);
    fastest_ = std::max(fastest_, rate);
    drift_ = std::max(drift_, over * over / 2.0);
  }

  [[nodiscard]] Joules energy() const { return Joules(energy_.value()); }
  [[nodiscard]] const Mean& rate() const { return rate_; }
  // Tokens of equation 6 that a step did not yield.
  [[nodiscard]] const Mean& shortfall() const { return shortfall_; }
  [[nodiscard]] double spread() const { return fastest_ - slowest_; }
  [[nodiscard]] double drift() const { return drift_; }

 private:
  Joules budget_;
  double rho0_;
  Mean energy_;
  Mean rate_;
  Mean shortfall_;
  double slowest_ = std::numeric_limits<double>::infinity();
  double fastest_ = 0.0;
  double drift_ = 0.0;  // B
};

Result<Steps> observe(const Setting& setting, const std::string& policy, Steps steps,
                      std::uint64_t seed) {
  std::vector<std::unique_ptr<control::Policy>> policies;
  for (std::uint32_t i = 0; i < setting.devices; ++i) {
    auto made = control::make_policy(policy);
    if (!made) {
      return fail(made.error());
    }
    policies.push_back(*std::move(made));
  }
  const auto run = simulate(setting, policies, {.seed = seed, .observer = &steps, .foresight = {}});
  return run ? Result<Steps>(steps) : fail(run.error());
}

struct Rate {
  double mean = 0.0;
  double error = 0.0;
};

// Best mean rate of a mixture of `lengths` whose mean energy keeps the budget: at most two of them.
Rate best_mixture(const std::vector<Steps>& lengths, Joules budget) {
  Rate best;
  const auto consider = [&best](double mean, double error) {
    if (mean > best.mean) {
      best = {mean, error};
    }
  };
  for (const Steps& a : lengths) {
    if (a.energy() > budget) {
      continue;
    }
    consider(a.rate().value(), a.rate().error());
    for (const Steps& b : lengths) {
      if (b.energy() > budget) {
        const double share = (budget - a.energy()) / (b.energy() - a.energy());
        consider(a.rate().value() + share * (b.rate().value() - a.rate().value()),
                 std::max(a.rate().error(), b.rate().error()));
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
  const Steps none(budget, (*values)[2]);
  const auto steps = observe(setting, policy, none, seed);
  if (!steps) {
    return fail(steps.error());
  }
  std::vector<Steps> lengths;
  for (std::uint32_t length = 1; length <= longest; ++length) {
    auto fixed = observe(setting, fmt::format("static:{}", length), none, seed);
    if (!fixed) {
      return fail(fixed.error());
    }
    lengths.push_back(*fixed);
  }
  const double b = steps->drift();
  const Rate optimum = best_mixture(lengths, budget);
  const Mean& rate = steps->rate();
  return TheoremCheck{
      .overshoot = steps->energy() - budget,
      .overshoot_bound = Joules(std::sqrt(2.0 * (b + v * steps->spread()) / rate.count())),
      .gap = optimum.mean - rate.value(),
      .gap_bound = b / v,
      .gap_noise = kErrors * std::hypot(optimum.error, rate.error()),
      .shortfall = steps->shortfall().value(),
      .shortfall_noise = kErrors * steps->shortfall().error()};
}

}  // namespace gelato::sim
