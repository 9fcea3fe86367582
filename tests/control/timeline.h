// Plays a policy against a text and a link on a timeline of its own: one message at a time,
// pipelines, bursts. Small enough to be read in one go; exact to the costs it is given.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "gelato/base/rng.h"
#include "gelato/control/policy.h"
#include "gelato/control/round_estimate.h"

namespace gelato::control::testing {

// What the draft model shows at one place of the text, and whether it is right there.
struct Place {
  spec::RowStats row{};
  bool match = false;
};

// Places of constant acceptance and rows that tell nothing.
inline std::vector<Place> even_text(double rho, std::size_t places, std::uint64_t seed) {
  Rng rng(seed, "text");
  std::vector<Place> text(places);
  for (Place& place : text) {
    place.row.top1_prob = 0.7F;
    place.row.entropy = 1.0F;
    place.match = rng.uniform() < rho;
  }
  return text;
}

// Easy and hard passages: entropy drifts along the text, and a token is right with probability
// exp(-decay H), as GELATO found (arXiv 2605.10124, equation 10).
inline std::vector<Place> uneven_text(double mean_entropy, double decay, std::size_t places,
                                      std::uint64_t seed) {
  Rng rng(seed, "text");
  std::vector<Place> text(places);
  double passage = 0.0;
  for (Place& place : text) {
    passage = 0.9 * passage + 0.5 * (2.0 * rng.uniform() - 1.0);
    const double entropy =
        mean_entropy * std::exp(passage) * -std::log(std::max(rng.uniform(), 1e-9));
    place.row.entropy = static_cast<float>(entropy);
    place.row.top1_prob = static_cast<float>(std::exp(-0.5 * entropy));
    place.row.margin = place.row.top1_prob * place.row.top1_prob;
    place.match = rng.uniform() < std::exp(-decay * entropy);
  }
  return text;
}

struct Played {
  double tokens = 0.0;
  Seconds time;
  Joules energy;
  std::uint64_t rounds = 0;
  std::uint64_t drafted = 0;
  std::uint64_t tried = 0;  // tokens drafted beside bursts
  [[nodiscard]] double tokens_per_second() const { return tokens / time.value(); }
  [[nodiscard]] Joules per_token() const { return energy / tokens; }
};

class Timeline {
 public:
  // `text` is read round and round; it and `cost` may be changed between rounds. The policy is told
  // exactly the costs that hold.
  Timeline(Policy& policy, std::vector<Place> text, const CostEstimate& cost,
           std::uint32_t max_in_flight)
      : policy_(policy), text_(std::move(text)), cost_(cost), max_in_flight_(max_in_flight) {}

  void set_cost(const CostEstimate& cost) { cost_ = cost; }
  void set_text(std::vector<Place> text) { text_ = std::move(text); }

  // One round; returns the plan.
  RoundPlan play() {
    const RoundContext context{.round = total_.rounds,
                               .context_tokens = 300,
                               .max_draft = kMaxDraftLength,
                               .max_in_flight = max_in_flight_,
                               .cost = cost_};
    const RoundPlan plan = policy_.begin_round(context);
    RoundOutcome outcome;
    if (plan.mode == RoundMode::kTargetOnly) {
      outcome.committed = plan.burst;
      outcome.passes = plan.burst;
      outcome.elapsed =
          uplink_time(cost_, 0) + cost_.round_trip + plan.burst * verify_time(cost_, 0);
      outcome.energy = cost_.tx_power * uplink_time(cost_, 0);
      trials(plan, outcome);
    } else {
      draft(plan, outcome);
    }
    outcome.drafting = (outcome.drafted + tried_) * cost_.draft_token;
    outcome.energy += (outcome.drafted + tried_) * cost_.draft_token_energy +
                      cost_.wait_power * std::max(outcome.elapsed - outcome.drafting, Seconds());
    at_ += outcome.committed;
    total_.tokens += outcome.committed;
    total_.time += outcome.elapsed;
    total_.energy += outcome.energy;
    total_.drafted += outcome.drafted;
    total_.tried += std::exchange(tried_, 0U);
    ++total_.rounds;
    policy_.end_round(outcome);
    return plan;
  }

  // Since the last play() of several rounds began.
  [[nodiscard]] const Played& total() const { return total_; }
  // Where in the text each trial began.
  std::vector<std::size_t> tried_at;

  Played play(std::uint64_t rounds) {
    total_ = {};
    for (std::uint64_t i = 0; i < rounds; ++i) {
      play();
    }
    return total_;
  }
  Played play_tokens(double tokens) {
    total_ = {};
    while (total_.tokens < tokens) {
      play();
    }
    return total_;
  }

 private:
  struct Chunk {
    std::uint32_t to = 0;  // drafted tokens up to its end
    bool last = false;     // with a bonus
    Seconds answered;
  };

  // Drafts beside a burst, one after the other.
  void trials(const RoundPlan& plan, const RoundOutcome& outcome) {
    for (std::uint32_t at = plan.trial_at; at > 0 && at < outcome.committed;) {
      const std::uint32_t bound = std::min(plan.max_draft, outcome.committed - at);
      std::uint32_t drafted = 0;
      std::uint32_t agreed = 0;
      for (bool more = bound > 0; more;) {
        const Place& place = text_[(at_ + at + drafted) % text_.size()];
        agreed += agreed == drafted && place.match ? 1 : 0;
        ++drafted;
        more = drafted < bound &&
               policy_.keep_drafting({.drafted = drafted, .last = place.row, .max_draft = bound});
      }
      tried_at.push_back(at_ + at);
      tried_ += drafted;
      const std::uint32_t next = policy_.end_trial(drafted, agreed);
      at = next > 0 ? at + std::min(agreed + 1, drafted) + next : 0;
    }
  }

  void draft(const RoundPlan& plan, RoundOutcome& outcome) {
    const std::uint32_t chunk = plan.chunk > 0 ? plan.chunk : kMaxDraftLength;
    const std::uint32_t window = plan.chunk > 0 ? plan.window : kMaxDraftLength;
    const std::uint32_t bound = std::min(plan.max_draft, kMaxDraftLength);
    const std::uint32_t right = matches(bound);
    std::deque<Chunk> flight;
    Seconds now;
    Seconds uplink_free;
    Seconds edge_free;
    std::uint32_t sent = 0;
    std::uint32_t verified = 0;
    bool stopped = bound == 0;
    outcome.passes = 0;
    const auto send = [&] {
      const Seconds on_air = uplink_time(cost_, outcome.drafted - sent);
      uplink_free = std::max(now, uplink_free) + on_air;
      edge_free = std::max(uplink_free + 0.5 * cost_.round_trip, edge_free) +
                  verify_time(cost_, outcome.drafted - sent);
      outcome.energy += cost_.tx_power * on_air;
      ++outcome.passes;
      sent = outcome.drafted;
      flight.push_back({sent, stopped, edge_free + 0.5 * cost_.round_trip});
    };
    if (stopped) {
      send();
    }
    for (;;) {
      const bool full = outcome.drafted - verified >= window || flight.size() >= max_in_flight_;
      const bool waits = stopped || full;
      if (!flight.empty() && (waits || flight.front().answered <= now)) {
        const Chunk done = flight.front();
        flight.pop_front();
        now = std::max(now, done.answered);
        verified = std::min(right, done.to);
        if (verified < done.to || done.last) {
          break;
        }
        continue;
      }
      now += cost_.draft_token;
      ++outcome.drafted;
      const Place& place = text_[(at_ + outcome.drafted - 1) % text_.size()];
      stopped = outcome.drafted == bound || !policy_.keep_drafting({.drafted = outcome.drafted,
                                                                    .last = place.row,
                                                                    .max_draft = bound,
                                                                    .verified = verified,
                                                                    .in_flight = sent - verified});
      if (stopped || outcome.drafted - sent == chunk) {
        send();
      }
    }
    outcome.accepted = verified;
    outcome.committed = verified + 1;
    outcome.elapsed = now;
  }

  [[nodiscard]] std::uint32_t matches(std::uint32_t bound) const {
    std::uint32_t n = 0;
    while (n < bound && text_[(at_ + n) % text_.size()].match) {
      ++n;
    }
    return n;
  }

  Policy& policy_;
  std::vector<Place> text_;
  CostEstimate cost_;
  std::uint32_t max_in_flight_;
  std::size_t at_ = 0;
  std::uint32_t tried_ = 0;
  Played total_;
};

}  // namespace gelato::control::testing
