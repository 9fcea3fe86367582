#include "gelato/sim/oracle.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "gelato/control/round_estimate.h"
#include "text_cursor.h"

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

// Knows every verdict of the text and takes the rounds of the greatest worth: sum of tokens less
// time and energy at their prices, by dynamic programming from the end of the text.
class Clairvoyant final : public control::Policy {
 public:
  Clairvoyant(const Prices& prices, const Budget& budget, const Foresight& foresight)
      : prices_(prices), budget_(budget), foresight_(&foresight) {}

  control::RoundPlan begin_round(const control::RoundContext& context) override {
    const TextCursor& text = *foresight_->text;
    const CostEstimate cost = control::usable(context.cost);
    const bool priced = price(cost, context.max_in_flight > 1);
    const bool known = at_ < places_.size() && left_ - at_ == text.left() &&
                       (places_.size() == left_ || at_ < places_.size() / 2);
    if (priced || !known) {
      plan_text(text);
    }
    const Place& place = places_[at_];
    if (place.burst) {
      std::uint32_t count = 1;
      while (count < control::kMaxBurst && at_ + count < places_.size() &&
             places_[at_ + count].extends_burst()) {
        ++count;
      }
      return {.mode = control::RoundMode::kTargetOnly, .burst = count};
    }
    return {.max_draft = place.length,
            .chunk = place.chunk,
            .window = place.chunk > 0 ? control::kMaxDraftLength : 0};
  }
  [[nodiscard]] bool keep_drafting(const control::DraftState&) override { return true; }
  void end_round(const control::RoundOutcome& outcome) override { at_ += outcome.committed; }
  [[nodiscard]] std::string name() const override { return std::string(kOracle); }

 private:
  // Farther than that the text has no bearing on what is best here.
  static constexpr std::uint32_t kHorizon = 512;
  // What is best at a place of the text, and its worth.
  struct Place {
    double worth = 0.0;
    double burst_worth = 0.0;  // while a burst is under way
    std::uint32_t length = 0;
    std::uint32_t chunk = 0;
    bool burst = false;
    // A burst that comes by writes the token here too.
    [[nodiscard]] bool extends_burst() const { return burst_worth > worth; }
  };
  struct Option {
    double worth = 0.0;  // of all its tokens
    std::uint32_t chunk = 0;
  };

  [[nodiscard]] double worth(const Forecast& part, std::uint64_t rounds = 1) const {
    const Joules allowed =
        budget_.allowance(rounds, static_cast<std::uint64_t>(part.tokens), part.time);
    return part.tokens - prices_.throughput * part.time.value() -
           prices_.energy * (part.energy - allowed).value();
  }

  // The worth of every draft at this cost. False if the cost has hardly changed.
  bool price(const CostEstimate& cost, bool pipelines) {
    constexpr double kAlike = 0.01;
    const Seconds round = whole_draft(cost, 4).time;
    if (std::abs((round - priced_round_) / round) < kAlike) {
      return false;
    }
    priced_round_ = round;
    const Forecast one = burst(cost, 1);
    const Forecast two = burst(cost, 2);
    burst_token_ = worth({1.0, two.time - one.time, two.energy - one.energy}, 0);
    burst_start_ = worth(one) - burst_token_;
    for (std::uint32_t length = 0; length < drafts_.size(); ++length) {
      drafts_[length] = {.worth = worth(whole_draft(cost, length)), .chunk = 0};
      for (const std::uint32_t chunk : kChunks) {
        const double value = pipelines && chunk < length ? worth(pipeline(cost, length, chunk))
                                                         : -std::numeric_limits<double>::infinity();
        if (value > drafts_[length].worth) {
          drafts_[length] = {.worth = value, .chunk = chunk};
        }
      }
    }
    return true;
  }

  void plan_text(const TextCursor& text) {
    at_ = 0;
    left_ = text.left();
    places_.assign(std::min(left_, kHorizon), {});
    const auto size = static_cast<std::uint32_t>(places_.size());
    const auto beyond = [&](std::uint32_t i) { return i < size ? places_[i].worth : 0.0; };
    std::uint32_t accepted = 0;
    for (std::uint32_t i = size; i-- > 0;) {
      Place& here = places_[i];
      accepted = text.agrees(i) ? accepted + 1 : 0;
      here.burst_worth = burst_token_;
      if (i + 1 < size) {
        here.burst_worth += std::max(places_[i + 1].burst_worth, places_[i + 1].worth);
      }
      here.worth = here.burst_worth + burst_start_;
      here.burst = true;
      const std::uint32_t room = text.ends_itself() ? left_ - i : left_ - i - 1;
      const std::uint32_t longest = std::min({accepted, room, control::kMaxDraftLength});
      for (std::uint32_t length = 0; length <= longest; ++length) {
        const bool whole = length <= text.depth();
        if (!whole && drafts_[length].chunk == 0) {
          continue;  // longer than one message may be
        }
        // The last token of a text that ends itself brings no other.
        const double missing = length + 1 > left_ - i ? 1.0 : 0.0;
        const double value = drafts_[length].worth - missing + beyond(i + length + 1);
        if (value > here.worth) {
          here.worth = value;
          here.burst = false;
          here.length = length;
          here.chunk = drafts_[length].chunk;
        }
      }
    }
  }

  Prices prices_;
  Budget budget_;
  const Foresight* foresight_;
  Seconds priced_round_;
  double burst_token_ = 0.0;
  double burst_start_ = 0.0;
  std::array<Option, control::kMaxDraftLength + 1> drafts_{};
  std::vector<Place> places_;  // of the text, from where it was planned
  std::uint32_t at_ = 0;
  std::uint32_t left_ = 0;  // of the text, from there
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
  policies.reserve(foresight.size());
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
