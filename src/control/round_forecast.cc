#include "gelato/control/round_forecast.h"

#include <algorithm>

#include "gelato/control/round_estimate.h"

namespace gelato::control {
namespace {

// Nothing takes less: a round of which no time is known is not infinitely fast.
constexpr Seconds kShortest(1e-6);

// Plays one remembered draft.
class Replay {
 public:
  Replay(const CostEstimate& cost, const SurvivalCurve& curve, const Pipeline& line,
         const StoppingRule& rule, std::uint32_t longest)
      : cost_(cost), curve_(curve), line_(line), rule_(rule), longest_(longest) {
    // Tokens drafted and not verified while the device is never held up.
    const double loop = line.first.value() / std::max(cost.draft_token, kShortest).value();
    ahead_ = line.chunk == 0 ? longest : std::min<double>(line.window, loop);
  }

  RoundForecast play(std::span<const float> draft) const {
    return line_.chunk == 0 ? play_message(draft) : play_pipeline(draft);
  }

 private:
  [[nodiscard]] double stands(std::span<const float> draft, std::uint32_t i) const {
    return i < draft.size() ? static_cast<double>(draft[i]) : curve_.acceptance(i);
  }

  [[nodiscard]] RoundForecast play_message(std::span<const float> draft) const {
    RoundForecast out;
    Standing standing;
    std::uint32_t drafted = 0;
    while (drafted < longest_) {
      standing.unsent *= stands(draft, drafted++);
      out.tokens += standing.unsent;
      if (!rule_.go_on(standing, curve_.acceptance(drafted))) {
        break;
      }
    }
    const Seconds sending = uplink_time(cost_, drafted);
    const Seconds waiting = away_time(cost_) + verify_time(cost_, drafted);
    out.time = drafting_time(cost_, drafted) + sending + waiting;
    out.energy =
        drafting_energy(cost_, drafted) + cost_.tx_power * sending + cost_.wait_power * waiting;
    return out;
  }

  // The verdict of chunk k (from 0) comes at first + k step, and is there iff the k chunks before
  // it were accepted whole.
  [[nodiscard]] RoundForecast play_pipeline(std::span<const float> draft) const {
    RoundForecast out;
    std::array<double, kMaxDraftLength + 1> survival{};
    survival[0] = 1.0;
    std::uint32_t from = 0;  // first token of the chunk
    Seconds at = line_.first;
    double drafted = 0.0;
    for (std::uint32_t to = 1; to <= longest_; ++to) {
      survival[to] = survival[to - 1] * stands(draft, to - 1);
      out.tokens += survival[to];
      const auto behind = static_cast<std::uint32_t>(ahead_);
      const double verified = survival[to > behind ? to - behind : 0];
      const Standing standing{.unsent = survival[to] / std::max(survival[from], 1e-12),
                              .unverified = survival[to] / std::max(verified, 1e-12),
                              .unsent_tokens = to - from};
      const bool stops =
          to == longest_ || survival[to] < 1e-3 || !rule_.go_on(standing, curve_.acceptance(to));
      if (!stops && to - from < line_.chunk) {
        continue;
      }
      const Seconds early = drafting_time(cost_, line_.chunk - (to - from));
      const Seconds verdict = stops ? std::max(at - early, kShortest) : at;
      const double ends = stops ? survival[from] : survival[from] - survival[to];
      const double by_then =
          stops ? to
                : std::min({to + ahead_, to + 0.0 + line_.window, static_cast<double>(longest_)});
      out.time += ends * (verdict + (stops ? Seconds() : 0.5 * cost_.draft_token));
      drafted += ends * by_then;
      if (stops) {
        break;
      }
      at += line_.step;
      from = to;
    }
    const Seconds sending = (drafted / line_.chunk) * uplink_time(cost_, line_.chunk);
    const Seconds waiting = std::max(out.time - drafted * cost_.draft_token, Seconds());
    out.energy =
        drafted * cost_.draft_token_energy + cost_.tx_power * sending + cost_.wait_power * waiting;
    return out;
  }

  const CostEstimate& cost_;
  const SurvivalCurve& curve_;
  const Pipeline& line_;
  const StoppingRule& rule_;
  std::uint32_t longest_;
  double ahead_;
};

}  // namespace

void DraftMemory::add(std::span<const float> draft) {
  const std::size_t length = std::min(draft.size(), kTokens);
  std::copy_n(draft.begin(), length, tokens_[next_].begin());
  length_[next_] = static_cast<std::uint8_t>(length);
  next_ = (next_ + 1) % kDrafts;
  size_ = std::min(size_ + 1, kDrafts);
}

RoundForecast forecast_burst(const CostEstimate& cost, std::uint32_t count) {
  const Seconds sending = uplink_time(cost, 0);
  const Seconds waiting = away_time(cost) + count * verify_time(cost, 0);
  return {.tokens = static_cast<double>(count),
          .time = std::max(sending + waiting, kShortest),
          .energy = cost.tx_power * sending + cost.wait_power * waiting};
}

RoundForecast forecast_draft(const CostEstimate& cost, std::span<const float> draft,
                             const SurvivalCurve& curve, const Pipeline& line,
                             const StoppingRule& rule, std::uint32_t longest) {
  RoundForecast round = Replay(cost, curve, line, rule, longest).play(draft);
  round.time = std::max(round.time, kShortest);
  return round;
}

Seconds round_time(const CostEstimate& cost, const Pipeline& line, std::uint32_t drafted,
                   std::uint32_t accepted, bool stopped) {
  if (line.chunk == 0) {
    return std::max(round_time(cost, drafted), kShortest);
  }
  const std::uint32_t rest = stopped ? drafted % line.chunk : 0;
  const bool in_rest = rest > 0 && accepted >= drafted - rest;
  const Seconds early = in_rest ? drafting_time(cost, line.chunk - rest) : Seconds();
  const std::uint32_t chunks = accepted / line.chunk;  // whole ones
  const Seconds whole = line.first + chunks * line.step;
  return std::max(whole - early, kShortest);
}

}  // namespace gelato::control
