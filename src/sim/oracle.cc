#include "gelato/sim/oracle.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <vector>

#include "gelato/control/round_estimate.h"

namespace gelato::sim {
namespace {

using control::CostEstimate;

constexpr std::array<std::uint32_t, 5> kChunks{1, 2, 4, 8, 16};
// Dinkelbach's iteration gains digits at every step; these many leave an error far below a
// run's own noise.
constexpr int kThetaSteps = 6;
constexpr double kThetaTolerance = 1e-4;
// From the price at which a joule is worth a millionth of a token to that of a million tokens.
constexpr double kLowestPrice = 1e-6;
constexpr double kHighestPrice = 1e6;
constexpr int kPriceSteps = 14;

// What a round is expected to take when nothing of it is in doubt.
struct Forecast {
  double tokens = 0.0;
  Seconds time;
  Joules energy;
};

Joules round_energy(const CostEstimate& cost, std::uint32_t drafted, Seconds sending,
                    Seconds time) {
  const Seconds drafting = drafted * cost.draft_token;
  const Seconds waiting = std::max(time - drafting - sending, Seconds());
  return drafted * cost.draft_token_energy + cost.tx_power * sending + cost.wait_power * waiting;
}

Forecast whole_draft(const CostEstimate& cost, std::uint32_t length) {
  const Seconds time = control::round_time(cost, length);
  return {length + 1.0, time, round_energy(cost, length, control::uplink_time(cost, length), time)};
}

Forecast burst(const CostEstimate& cost, std::uint32_t length) {
  const Seconds sending = control::uplink_time(cost, 0);
  const Seconds time = sending + cost.round_trip + length * cost.verify_base;
  return {static_cast<double>(length), time, round_energy(cost, 0, sending, time)};
}

// Chunks go up while the next ones are drafted, and are verified one after the other.
Forecast pipeline(const CostEstimate& cost, std::uint32_t length, std::uint32_t chunk) {
  const double rate = cost.uplink.value();
  Seconds sent;
  Seconds verified;
  Seconds sending;
  for (std::uint32_t done = 0; done < length;) {
    const std::uint32_t count = std::min(chunk, length - done);
    done += count;
    const Bits bits = count * cost.uplink_bits_per_token + cost.uplink_bits_per_round;
    const Seconds air = rate > 0.0 ? bits / cost.uplink : Seconds();
    sending += air;
    sent = std::max(sent, done * cost.draft_token) + air;
    const std::uint32_t extra = done < length ? count - 1 : count;
    verified = std::max(sent + cost.round_trip / 2.0, verified) + control::verify_time(cost, extra);
  }
  const Seconds time = verified + cost.round_trip / 2.0;
  return {length + 1.0, time, round_energy(cost, length, sending, time)};
}

class Clairvoyant final : public control::Policy {
 public:
  Clairvoyant(const Prices& prices, const Budget& budget, const Foresight& foresight)
      : prices_(prices), budget_(budget), foresight_(&foresight) {}

  control::RoundPlan begin_round(const control::RoundContext& context) override {
    const CostEstimate cost = control::usable(context.cost);
    const std::uint32_t longest = std::min(foresight_->accepted, context.max_draft);
    best_.reset();
    for (std::uint32_t length = 0; length <= longest; ++length) {
      consider(whole_draft(cost, length), {.max_draft = length});
    }
    for (std::uint32_t length = 1; length <= control::kMaxDraftLength; ++length) {
      consider(burst(cost, length), {.mode = control::RoundMode::kTargetOnly, .burst = length});
    }
    for (const std::uint32_t chunk : kChunks) {
      if (context.max_in_flight > 1 && chunk < longest) {
        consider(pipeline(cost, longest, chunk),
                 {.max_draft = longest, .chunk = chunk, .window = control::kMaxDraftLength});
      }
    }
    return plan_;
  }
  [[nodiscard]] bool keep_drafting(const control::DraftState&) override { return true; }
  void end_round(const control::RoundOutcome&) override {}
  [[nodiscard]] std::string name() const override { return std::string(kOracle); }

 private:
  void consider(const Forecast& round, const control::RoundPlan& plan) {
    const auto tokens = static_cast<std::uint64_t>(round.tokens);
    const Joules allowed = budget_.given() ? budget_.allowance(1, tokens, round.time) : Joules();
    const double worth = round.tokens - prices_.throughput * round.time.value() -
                         prices_.energy * (round.energy - allowed).value();
    if (!best_ || worth > *best_) {
      best_ = worth;
      plan_ = plan;
    }
  }

  Prices prices_;
  Budget budget_;
  const Foresight* foresight_;
  control::RoundPlan plan_;
  std::optional<double> best_;
};

Joules spent(const Setting& setting, const DeviceTotals& total) {
  return setting.accounting == Accounting::kPaper ? total.energy.paper_accounting()
                                                  : total.energy.total();
}

Joules overspent(const Setting& setting, const DeviceTotals& total) {
  return spent(setting, total) -
         setting.budget.allowance(total.rounds, total.tokens, total.elapsed);
}

Result<RunResult> run_at(const Setting& setting, const Prices& prices, std::uint64_t seed) {
  std::vector<Foresight> foresight(setting.devices);
  std::vector<std::unique_ptr<control::Policy>> policies;
  for (const Foresight& device : foresight) {
    policies.push_back(make_clairvoyant(prices, setting.budget, device));
  }
  return simulate(setting, policies, {.seed = seed, .observer = nullptr, .foresight = foresight});
}

// The run at energy price `lambda`, with the theta that belongs to it.
Result<RunResult> run_at_price(const Setting& setting, double lambda, std::uint64_t seed) {
  double theta = 0.0;
  Result<RunResult> run;
  for (int step = 0; step < kThetaSteps; ++step) {
    run = run_at(setting, {theta, lambda}, seed);
    if (!run) {
      return run;
    }
    const DeviceTotals total = run->total();
    const double over = setting.budget.given() ? overspent(setting, total).value() : 0.0;
    const double worth = static_cast<double>(total.tokens) - lambda * over;
    const double next = worth / total.elapsed.value();
    if (std::abs(next - theta) <= kThetaTolerance * std::abs(next)) {
      break;
    }
    theta = next;
  }
  return run;
}

}  // namespace

std::unique_ptr<control::Policy> make_clairvoyant(const Prices& prices, const Budget& budget,
                                                  const Foresight& foresight) {
  return std::make_unique<Clairvoyant>(prices, budget, foresight);
}

Result<RunResult> run_oracle(const Setting& original, bool one_in_flight, std::uint64_t seed) {
  Setting setting = original;
  setting.max_in_flight = one_in_flight ? 1 : setting.max_in_flight;
  auto best = run_at_price(setting, 0.0, seed);
  if (!best || !setting.budget.given() || overspent(setting, best->total()) <= Joules()) {
    return best;
  }
  double low = kLowestPrice;
  double high = kHighestPrice;
  best = run_at_price(setting, high, seed);
  for (int step = 0; step < kPriceSteps && best; ++step) {
    const double middle = std::sqrt(low * high);
    auto run = run_at_price(setting, middle, seed);
    if (!run) {
      return run;
    }
    if (overspent(setting, run->total()) <= Joules()) {
      high = middle;
      best = std::move(run);
    } else {
      low = middle;
    }
  }
  return best;
}

}  // namespace gelato::sim
