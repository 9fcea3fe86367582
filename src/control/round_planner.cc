#include "gelato/control/round_planner.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "gelato/control/round_estimate.h"

namespace gelato::control {
namespace {

// A way is left for one that promises 2 % more: forecasts waver by about a percent, and two equal
// ways are not to alternate. Where joules have a price, that wavers too.
constexpr double kMargin = 1.02;
constexpr double kPricedMargin = 1.05;
// The same for the layout of a pipeline, where a change costs nothing but steadiness.
constexpr double kLineMargin = 1.02;
// Rounds that the slow and the fast sums remember. The worth of a round varies by about 40 %: the
// slow one knows its mean to 2 %, the fast one sees a change of 25 % within 30 rounds.
constexpr double kSlow = 1.0 - 1.0 / 400.0;
constexpr double kFast = 1.0 - 1.0 / 24.0;
// The fast sum overrules the slow one if they differ by so many of its standard errors.
constexpr double kSurprise = 3.5;
// Standard errors that are granted to a way that drafts against letting the target write: what is
// not known is tried, what is known to be worse is not.
constexpr double kOptimism = 1.2;
// Experience of a round 60 rounds ago counts 1/e; a way not tried yet is believed as if 6 rounds
// had turned out as forecast.
constexpr double kMemory = 1.0 - 1.0 / 60.0;
constexpr double kPriorRounds = 6.0;
// Acceptance is corrected as seen over so many rounds, a verdict being so much luckier than a
// clock.
constexpr double kLuck = 1.0 - 1.0 / 300.0;
constexpr double kPriorLuck = 10.0;
// Corrections beyond this are not believed.
constexpr double kLargestCorrection = 128.0;
// Layouts are compared every so many rounds, and at once if a cost changes by this factor.
constexpr std::uint32_t kEvery = 8;
constexpr double kChange = 1.1;
constexpr std::uint32_t kUsualDraft = 4;
// Drafts in the first rounds if they may turn out to be worth so much more than they look, over
// the root of the number of rounds; not if even this acceptance would not make them pay.
constexpr std::uint32_t kFirstRounds = 8;
constexpr double kFirstHope = 2.0;
constexpr double kHope = 0.93;
// Bursts that are weighed against each other, tokens.
constexpr std::uint32_t kBurst = 64;
// While the target writes, drafts are tried beside its tokens, first after so many of them, then
// after twice as many, until what the tries cost is their share of the joules, or the last number
// is reached.
constexpr double kFirstTry = 16.0;
constexpr double kLastTry = 16384.0;
struct TryEnergy {
  double free;    // share of the joules, where they have no price
  double priced;  // and where they have one
};
constexpr std::array<TryEnergy, 3> kTryEnergy{{{0.02, 0.005}, {0.05, 0.02}, {0.2, 0.02}}};
std::size_t nearness(double worth) { return worth > 0.9 ? 2 : worth > 0.75 ? 1 : 0; }
// Now and then a draft is sent instead, as a round: only that shows what drafts cost, and some
// loops cannot draft while the target writes. First after so many tokens, then after twice as many,
// and never so often that it takes more than this share of the time.
constexpr double kFirstSent = 64.0;
constexpr double kTryTime = 0.002;
// A burst is as long as keeps its round trip at this share of the time: it is not left when a cost
// changes.
constexpr double kTripShare = 0.01;
// After so many drafts those are forgotten that were predicted before the predictor knew the pair:
// all but the last few.
constexpr std::uint32_t kLearned = 20;
constexpr std::size_t kTrusted = 12;
// Chunks that are worth a look; between them throughput changes by less than the margin.
constexpr std::array<std::uint32_t, 10> kChunks{1, 2, 3, 4, 6, 8, 12, 16, 24, 32};

double correction(double forecast, double turned_out, double rounds, double prior_rounds) {
  if (!(rounds > 0.0) || !(forecast > 0.0)) {
    return 1.0;
  }
  const double prior = prior_rounds * forecast / rounds;
  return std::clamp((prior + turned_out) / (prior + forecast), 1.0 / kLargestCorrection,
                    kLargestCorrection);
}

// Whether plans for one are good for the other: nothing that matters in a round differs by much.
bool alike(const CostEstimate& a, const CostEstimate& b) {
  const Seconds slack = (kChange - 1.0) * round_time(b, kUsualDraft);
  const auto near = [slack](Seconds x, Seconds y) { return x - y <= slack && y - x <= slack; };
  const auto wire = [](const CostEstimate& c) {
    return away_time(c) + uplink_time(c, kUsualDraft);
  };
  const auto in_proportion = [](double x, double y) {
    return x <= kChange * y && y <= kChange * x;
  };
  return near(wire(a), wire(b)) && near(verify_time(a, kUsualDraft), verify_time(b, kUsualDraft)) &&
         in_proportion(a.draft_token.value(), b.draft_token.value()) &&
         in_proportion(a.draft_token_energy.value(), b.draft_token_energy.value()) &&
         in_proportion(a.wait_power.value(), b.wait_power.value());
}

}  // namespace

void WayLedger::Tally::add(const RoundForecast& round, double beyond, double memory) {
  rounds = memory * rounds + 1.0;
  sum.tokens = memory * sum.tokens + round.tokens;
  sum.time = memory * sum.time + round.time;
  sum.energy = memory * sum.energy + round.energy;
  square = memory * square + beyond * beyond;
}

void WayLedger::add(const RoundForecast& round, const Prices& prices) {
  const double beyond = prices.value(round) - prices.per_second * round.time.value();
  slow_.add(round, beyond, kSlow);
  fast_.add(round, beyond, kFast);
  const double slow = slow_.sum.tokens / slow_.sum.time.value();
  const double fast = fast_.sum.tokens / fast_.sum.time.value();
  const double chance = std::sqrt(fast_.square) / fast_.sum.tokens;
  if (fast_.rounds > 12.0 && std::abs(fast / slow - 1.0) > kSurprise * chance) {
    slow_ = fast_;
  }
}

void WayLedger::age() {
  // What is not looked at is forgotten, down to so many rounds.
  if (slow_.rounds > 1.0 / (1.0 - kFast)) {
    slow_.rounds *= kSlow;
    slow_.sum.tokens *= kSlow;
    slow_.sum.time *= kSlow;
    slow_.sum.energy *= kSlow;
    slow_.square *= kSlow;
  }
}

RoundForecast WayLedger::mean() const {
  const double n = std::max(slow_.rounds, 1.0);
  return {
      .tokens = slow_.sum.tokens / n, .time = slow_.sum.time / n, .energy = slow_.sum.energy / n};
}

double WayLedger::doubt() const {
  return slow_.rounds > 1.0 ? std::sqrt(slow_.square) / slow_.sum.tokens : 1.0;
}

void RoundPlanner::Experience::add(double expected, double got, double memory) {
  rounds = memory * rounds + 1.0;
  forecast = memory * forecast + expected;
  turned_out = memory * turned_out + got;
}

double RoundPlanner::Experience::factor(double prior_rounds) const {
  return correction(forecast, turned_out, rounds, prior_rounds);
}

RoundForecast RoundPlanner::corrected(Way way, const RoundForecast& raw) const {
  const auto i = static_cast<std::size_t>(way);
  const double tokens = way == Way::kBurst ? 1.0 : accepted_.factor(kPriorLuck);
  return {.tokens = raw.tokens * tokens,
          .time = raw.time * time_[i].factor(kPriorRounds),
          .energy = raw.energy * energy_[i].factor(kPriorRounds)};
}

StoppingRule RoundPlanner::rule(Way way, const Pipeline& line, const SurvivalCurve& curve) const {
  return {cost_, prices_.around(choices_[static_cast<std::size_t>(way)].round), line,
          curve.acceptance(line.chunk)};
}

void RoundPlanner::weigh(Way way) {
  RoundChoice& choice = of(way);
  choice.way = way;
  choice.length = limits_.max_draft;
  choice.round = corrected(way, ledger(way).mean());
  choice.rate = prices_.value(choice.round) / choice.round.time.value();
  choice.merit = prices_.merit(choice.round);
  choice.doubt = ledger(way).doubt();
}

// The drafts of the last rounds, played anew.
void RoundPlanner::replay(Way way, const SurvivalCurve& curve) {
  ledger(way).clear();
  const Pipeline& line = of(way).line;
  const StoppingRule stops = rule(way, line, curve);
  if (memory_.size() == 0) {
    ledger(way).add(forecast_draft(cost_, {}, curve, line, stops, limits_.max_draft), prices_);
  }
  for (std::size_t i = 0; i < memory_.size(); ++i) {
    ledger(way).add(forecast_draft(cost_, memory_.draft(i), curve, line, stops, limits_.max_draft),
                    prices_);
  }
}

// Windows of whole chunks, from two up to the one that keeps the device busy until the verdict; on
// the mean acceptance alone. chunk 0 if there is no room for two chunks.
Pipeline RoundPlanner::best_line(const SurvivalCurve& curve) const {
  Pipeline best;
  double best_merit = -std::numeric_limits<double>::infinity();
  for (const std::uint32_t chunk : kChunks) {
    const std::uint32_t most = std::min(limits_.in_flight, limits_.max_draft / chunk);
    for (std::uint32_t chunks = 2; chunks <= most; chunks += (chunks + 1) / 2) {
      const Pipeline line = lay_pipeline(cost_, chunk, chunks * chunk);
      const RoundForecast round = forecast_draft(
          cost_, {}, curve, line, rule(Way::kPipeline, line, curve), limits_.max_draft);
      const double merit = prices_.merit(round);
      if (merit > best_merit) {
        best_merit = merit;
        best = line;
      }
      if (line.first <= chunks * line.step * 0.999) {
        break;  // the window does not hold anything up
      }
    }
  }
  return best;
}

void RoundPlanner::lay(const SurvivalCurve& curve) {
  RoundChoice& choice = of(Way::kPipeline);
  const Pipeline line = best_line(curve);
  const bool same = choice.line.chunk == line.chunk && choice.line.window == line.window;
  if (same || line.chunk == 0) {
    return;
  }
  const RoundChoice before = choice;
  const WayLedger kept = ledger(Way::kPipeline);
  if (before.line.chunk > 0) {
    replay(Way::kPipeline, curve);
    weigh(Way::kPipeline);
  }
  const double merit = choice.merit;
  choice.line = line;
  replay(Way::kPipeline, curve);
  weigh(Way::kPipeline);
  if (before.line.chunk > 0 && choice.merit < kLineMargin * merit) {
    choice = before;
    ledger(Way::kPipeline) = kept;
  }
}

bool RoundPlanner::changed(const CostEstimate& cost, const PlanLimits& limits) const {
  return rounds_ == 1 || !(limits == limits_) || !alike(cost, cost_);
}

// The ledgers of new costs, and the price of time with them: Dinkelbach's iteration, from what the
// best fixed length would earn.
void RoundPlanner::start_anew(const SurvivalCurve& curve) {
  const auto fixed = [&](std::uint32_t length) {
    return tokens_per_second(curve.tokens(length), round_time(cost_, length));
  };
  prices_.per_second = fixed(best_length(0, limits_.max_draft, fixed));
  constexpr int kIterations = 2;
  for (int i = 0; i < kIterations; ++i) {
    of(Way::kPipeline).line = limits_.in_flight > 1 ? best_line(curve) : Pipeline{};
    replay(Way::kDraft, curve);
    if (of(Way::kPipeline).line.chunk > 0) {
      replay(Way::kPipeline, curve);
    }
    weigh_all();
    const auto best = std::max_element(choices_.begin(), choices_.end(),
                                       [](auto& a, auto& b) { return a.merit < b.merit; });
    prices_.per_second = std::max(best->rate, 0.0);
  }
}

void RoundPlanner::weigh_burst(std::uint32_t count) {
  RoundChoice burst;
  burst.way = Way::kBurst;
  burst.length = count;
  burst.round = corrected(Way::kBurst, forecast_burst(burst_cost_, count));
  burst.rate = prices_.value(burst.round) / burst.round.time.value();
  burst.merit = prices_.merit(burst.round);
  least_burst_ = std::min(least_burst_, burst.round.energy);
  if (burst.merit > of(Way::kBurst).merit) {
    of(Way::kBurst) = burst;
  }
}

void RoundPlanner::rule_out(Way way) {
  of(way).rate = of(way).merit = -std::numeric_limits<double>::infinity();
}

void RoundPlanner::weigh_all() {
  least_burst_ = Joules(std::numeric_limits<double>::infinity());
  weigh(Way::kDraft);
  if (of(Way::kPipeline).line.chunk > 0) {
    weigh(Way::kPipeline);
  } else {
    rule_out(Way::kPipeline);
  }
  rule_out(Way::kBurst);
  // Long bursts share one round trip; a budget per round may want short ones.
  if (limits_.modes) {
    weigh_burst(longest_burst());
    for (std::uint32_t count = kBurst; count > 0; count /= 4) {
      weigh_burst(count);
    }
  }
  rule_out(Way::kAlone);
}

const RoundChoice& RoundPlanner::choose(const SharedEdge& edge, const SurvivalCurve& curve,
                                        const PlanLimits& limits, const Prices& prices) {
  ++rounds_;
  prices_ = prices;
  burst_cost_ = edge.burst;
  burst_cost_.others += edge.imposed;
  if (changed(edge.draft, limits)) {
    cost_ = edge.draft;
    limits_ = limits;
    start_anew(curve);
  } else if (limits.in_flight > 1 && rounds_ % kEvery == 0) {
    lay(curve);
  }
  weigh_all();
  return of(settle());
}

Joules RoundPlanner::least_per_token() const {
  Joules least(std::numeric_limits<double>::infinity());
  for (const RoundChoice& choice : choices_) {
    if (std::isfinite(choice.rate)) {
      least = std::min(least, choice.round.energy / choice.round.tokens);
    }
  }
  return least;
}

double RoundPlanner::demand(const EnergyBudget& budget) const {
  // A budget is not given up on a few bad drafts: three standard errors are granted, of rounds
  // whose joules per token vary by 40 %.
  constexpr double kGranted = 3.0 * 0.4;
  constexpr double kSeen = 2.0;  // rounds at least, or one round would excuse everything
  constexpr double kInf = std::numeric_limits<double>::infinity();
  double tokens = kInf;
  double power = kInf;
  double rounds = least_burst_.value();
  for (const RoundChoice& choice : choices_) {
    if (!std::isfinite(choice.rate)) {
      continue;
    }
    const double rounds_seen = ledgers_[static_cast<std::size_t>(choice.way)].rounds();
    const double doubt =
        choice.way == Way::kBurst ? 0.0 : kGranted / std::sqrt(rounds_seen + kSeen);
    const Joules energy = (1.0 - doubt) * choice.round.energy;
    tokens = std::min(tokens, energy.value() / choice.round.tokens);
    power = std::min(power, (energy / choice.round.time).value());
    rounds = std::min(rounds, energy.value());
  }
  const auto share = [](double least, double allowed) {
    return allowed > 0.0 ? least / allowed : 0.0;
  };
  return std::max({share(tokens, budget.per_token.value()), share(power, budget.per_second.value()),
                   share(rounds, budget.per_round.value())});
}

std::uint32_t RoundPlanner::longest_burst() const {
  const double tokens = away_time(burst_cost_) / (kTripShare * verify_time(burst_cost_, 0));
  if (!(tokens > kBurst)) {  // also where both are as good as nothing
    return kBurst;
  }
  return static_cast<std::uint32_t>(std::min<double>(tokens, kMaxBurst));
}

void RoundPlanner::wrote(std::uint32_t tokens) {
  written_ += tokens - std::min(known_, tokens);
  unsent_ += tokens;
  place_ = known_ = 0;
}

std::uint32_t RoundPlanner::tried(std::uint32_t drafted, double expected, std::uint32_t accepted) {
  accepted_.add(expected, 1.0 + accepted, kLuck);
  put_off(drafted * (cost_.draft_token_energy - cost_.wait_power * cost_.draft_token));
  known_ = place_;
  const auto next = static_cast<std::uint32_t>(next_);
  place_ += next;
  return next;
}

// The share of the joules that tries may take: the more, the nearer drafts are expected to come to
// what the target earns or, under a budget that binds, to as few joules; less where joules have a
// price.
double RoundPlanner::try_energy() const {
  const auto per_joule = [](const RoundForecast& r) { return r.tokens / r.energy.value(); };
  const auto& [draft, pipeline, burst, alone] = choices_;
  const double worth = std::max(draft.merit, pipeline.merit) / burst.merit;
  if (prices_.per_joule > 0.0) {
    const double thrifty = per_joule(draft.round) / per_joule(burst.round);
    return kTryEnergy.at(nearness(std::max(worth, thrifty))).priced;
  }
  return kTryEnergy.at(nearness(worth)).free;
}

// The next try waits until these joules, which the last one took more than the target's own tokens
// would have, are their share of what the target takes. Tries are to begin anywhere in the text,
// where drafts are not what they are at its beginning: a Weyl sequence is as even as chance, and
// the same in every run.
void RoundPlanner::put_off(Joules energy) {
  constexpr double kGolden = 0.6180339887498949;
  const RoundForecast& burst = of(Way::kBurst).round;
  const double tokens =
      energy / std::max(try_energy() * burst.energy / burst.tokens, Joules(1e-12));
  wait_ = std::clamp(std::min(2.0 * wait_, tokens), kFirstTry, kLastTry);
  next_ = wait_ * (0.5 + std::fmod(++tries_ * kGolden, 1.0));
  written_ = 0.0;
}

void RoundPlanner::put_off_round(const RoundChoice& draft) {
  const RoundForecast& burst = of(Way::kBurst).round;
  const double lost = std::clamp(1.0 - draft.merit / of(Way::kBurst).merit, 0.0, 1.0);
  const Seconds time = lost * draft.round.time + away_time(cost_);
  put_off(draft.round.energy - draft.round.tokens * (burst.energy / burst.tokens));
  const double share = time / (kTryTime * burst.time / burst.tokens);
  send_after_ = std::clamp(std::max(share, 2.0 * send_after_), wait_, kLastTry);
  unsent_ = 0.0;
}

// Whether even nearly perfect drafts would be worse than letting the target write.
bool RoundPlanner::hopeless() const {
  const auto merit = [&](std::uint32_t length) {
    const Seconds waiting = away_time(cost_) + verify_time(cost_, length);
    return prices_.merit({.tokens = expected_tokens(kHope, length),
                          .time = round_time(cost_, length),
                          .energy = drafting_energy(cost_, length) +
                                    cost_.tx_power * uplink_time(cost_, length) +
                                    cost_.wait_power * waiting});
  };
  return merit(best_length(0, limits_.max_draft, merit)) <
         prices_.merit(choices_[static_cast<std::size_t>(Way::kBurst)].round);
}

Way RoundPlanner::settle() {
  const auto merit = [this](Way way) {
    const RoundChoice& choice = of(way);
    const double granted = way == Way::kBurst ? 0.0 : kOptimism * std::min(choice.doubt, 1.0);
    return choice.merit > 0.0 ? choice.merit * (1.0 + granted) : choice.merit;
  };
  const Way drafting =
      of(Way::kPipeline).merit > of(Way::kDraft).merit ? Way::kPipeline : Way::kDraft;
  Way leader = way_;
  for (const Way way : {Way::kDraft, Way::kPipeline, Way::kBurst}) {
    leader = merit(way) > merit(leader) ? way : leader;
  }
  const double hope = kFirstHope / std::sqrt(rounds_);
  if (leader == Way::kBurst && rounds_ <= kFirstRounds && !hopeless() &&
      of(drafting).merit * (1.0 + hope) > of(Way::kBurst).merit) {
    leader = drafting;
  }
  const bool priced = prices_.per_joule > 0.0;
  const double margin = priced ? kPricedMargin : kMargin;
  const double kept = merit(way_) > 0.0 ? margin * merit(way_) : merit(way_);
  if (leader != way_ && merit(leader) > kept) {
    wait_ = next_ = hopeless() ? kLastTry : kFirstTry;
    written_ = unsent_ = 0.0;
    send_after_ = hopeless() ? kLastTry : std::max(send_after_, kFirstSent);
    way_ = leader;
  }
  if (way_ != Way::kBurst) {
    return way_;
  }
  ledger(Way::kDraft).age();
  ledger(Way::kPipeline).age();
  RoundChoice& burst = of(Way::kBurst);
  const RoundForecast& drafts = of(drafting).round;
  if (priced && tokens_per_second(drafts.tokens, drafts.time) >
                    tokens_per_second(burst.round.tokens, burst.round.time)) {
    // It only saves joules: as many as a long burst saves swing the price.
    burst.length = std::min(burst.length, kBurst);
  }
  const double left = std::max(next_ - written_, 1.0);
  if (unsent_ >= send_after_) {
    put_off_round(of(drafting));
    return drafting;
  }
  if (left < burst.length) {
    burst.trial_at = place_ = static_cast<std::uint32_t>(left);
  }
  return way_;
}

void RoundPlanner::observe(std::span<const float> draft, const SurvivalCurve& curve) {
  memory_.add(draft);
  if (++observed_ == kLearned) {
    memory_.keep(kTrusted);
    replay(Way::kDraft, curve);
    if (of(Way::kPipeline).line.chunk > 0) {
      replay(Way::kPipeline, curve);
    }
    return;
  }
  for (const Way way : {Way::kDraft, Way::kPipeline}) {
    const Pipeline& line = of(way).line;
    if (!ledger(way).empty()) {
      ledger(way).add(
          forecast_draft(cost_, draft, curve, line, rule(way, line, curve), limits_.max_draft),
          prices_);
    }
  }
}

void RoundPlanner::forget_drafts(const SurvivalCurve& curve) {
  memory_.keep(0);
  observed_ = 0;
  accepted_ = {};
  start_anew(curve);
}

void RoundPlanner::learn(Way way, const RoundForecast& forecast, const RoundForecast& turned_out) {
  const auto i = static_cast<std::size_t>(way);
  time_[i].add(forecast.time.value(), turned_out.time.value(), kMemory);
  energy_[i].add(forecast.energy.value(), turned_out.energy.value(), kMemory);
  if (way != Way::kBurst) {
    accepted_.add(forecast.tokens, turned_out.tokens, kLuck);
  }
}

}  // namespace gelato::control
