#include "gelato/control/round_planner.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "gelato/control/round_estimate.h"

namespace gelato::control {
namespace {

// A way is left for one that promises 2 % more: forecasts waver by about a percent, and two equal
// ways are not to alternate.
constexpr double kMargin = 1.02;
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
constexpr double kOptimism = 0.7;
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
// While the target writes, nothing is learned about drafts. After this many stretches of kStretch
// tokens a few are tried, then after twice as many, until tries cost these shares of time or
// joules, or the last number is reached. How many at a time: the more, the nearer they are expected
// to come to what the target earns.
constexpr std::uint32_t kStretch = 64;
constexpr std::uint32_t kFirstTry = 2;
constexpr std::uint32_t kLastTry = 256;
constexpr double kTryShare = 0.005;
constexpr double kTryEnergy = 0.01;  // the same of the joules
// Stretches up to the next try are one burst, so that they share a round trip; not more than keep
// it at this share of the time, because a burst is not left when a cost changes.
constexpr double kTripShare = 0.01;
std::uint32_t tries_at(double worth) { return worth > 0.9 ? 12 : worth > 0.75 ? 6 : 2; }
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
    return c.round_trip + uplink_time(c, kUsualDraft);
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
  burst.round = corrected(Way::kBurst, forecast_burst(cost_, count));
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
    for (std::uint32_t count = kStretch; count > 0; count /= 4) {
      weigh_burst(count);
    }
  }
  rule_out(Way::kAlone);
}

const RoundChoice& RoundPlanner::choose(const CostEstimate& cost, const SurvivalCurve& curve,
                                        const PlanLimits& limits, const Prices& prices) {
  ++rounds_;
  prices_ = prices;
  if (changed(cost, limits)) {
    cost_ = cost;
    limits_ = limits;
    start_anew(curve);
  } else if (limits.in_flight > 1 && rounds_ % kEvery == 0) {
    lay(curve);
  }
  weigh_all();
  const Way way = settle();
  if (way == Way::kBurst) {
    fit_burst();
  }
  return of(way);
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
  // A budget is not given up on a few bad drafts: two standard errors are granted, of rounds whose
  // joules per token vary by 40 %.
  constexpr double kGranted = 2.0 * 0.4;
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
        choice.way == Way::kBurst ? 0.0 : kGranted / std::sqrt(std::max(rounds_seen, 1.0));
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
  const double tokens = cost_.round_trip / (kTripShare * verify_time(cost_, 0));
  if (!(tokens > kStretch)) {  // also where both are as good as nothing
    return kStretch;
  }
  return static_cast<std::uint32_t>(std::min<double>(tokens, kMaxBurst));
}

// Not beyond the next try. The drafts of that are to begin anywhere in the text: bursts of one
// length would all end at its beginning or its end, where drafts are not what they are elsewhere. A
// Weyl sequence is as even as chance, and the same in every run.
void RoundPlanner::fit_burst() {
  constexpr double kGolden = 0.6180339887498949;
  RoundChoice& burst = of(Way::kBurst);
  const std::uint32_t stretches =
      std::min(std::max(burst.length / kStretch, 1U), wait_ - in_way_ + 1);
  burst.length = std::min(burst.length, stretches * kStretch);
  if (in_way_ + stretches > wait_) {
    const double place = std::fmod(rounds_ * kGolden, 1.0);
    const std::uint32_t last = std::min(burst.length, kStretch);
    burst.length -= last - 1 - static_cast<std::uint32_t>(place * last);
  }
}

void RoundPlanner::wrote(std::uint32_t tokens) { in_way_ += (std::max(tokens, 1U) - 1) / kStretch; }

// Whether even nearly perfect drafts would be worse than letting the target write.
bool RoundPlanner::hopeless() const {
  const auto merit = [&](std::uint32_t length) {
    const Seconds waiting = cost_.round_trip + verify_time(cost_, length);
    return prices_.merit({.tokens = expected_tokens(kHope, length),
                          .time = round_time(cost_, length),
                          .energy = drafting_energy(cost_, length) +
                                    cost_.tx_power * uplink_time(cost_, length) +
                                    cost_.wait_power * waiting});
  };
  return merit(best_length(0, limits_.max_draft, merit)) <
         prices_.merit(choices_[static_cast<std::size_t>(Way::kBurst)].round);
}

// Stretches between tries that keep what the tries cost more than the target's own tokens, and the
// burst that is cut short for them, at its share of time and joules.
std::uint32_t RoundPlanner::longest_wait(const RoundForecast& draft, std::uint32_t tries,
                                         double worth) const {
  const RoundChoice& burst = choices_[static_cast<std::size_t>(Way::kBurst)];
  const double stretch = std::min(1.0, static_cast<double>(kStretch) / burst.length);
  const Seconds time = tries * std::clamp(1.0 - worth, 0.0, 1.0) * draft.time + cost_.round_trip;
  const Joules energy =
      tries *
      std::max(draft.energy - draft.tokens * (burst.round.energy / burst.round.tokens), Joules());
  const double wait =
      std::max(time / (kTryShare * stretch * burst.round.time),
               energy / std::max(kTryEnergy * stretch * burst.round.energy, Joules(1e-12)));
  return static_cast<std::uint32_t>(std::clamp<double>(wait, kFirstTry, kLastTry));
}

// Of a way that drafts, against letting the target write: which of the two earns more, or, under a
// budget, which needs fewer joules, whatever favours drafts. A budget may leave nothing else to
// earn.
double RoundPlanner::worth_of(const RoundChoice& draft) const {
  const RoundChoice& burst = choices_[static_cast<std::size_t>(Way::kBurst)];
  const auto per_joule = [](const RoundForecast& r) { return r.tokens / r.energy.value(); };
  const double worth = draft.merit / burst.merit;
  return prices_.per_joule > 0.0 ? std::max(worth, per_joule(draft.round) / per_joule(burst.round))
                                 : worth;
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
  const double kept = merit(way_) > 0.0 ? kMargin * merit(way_) : merit(way_);
  if (leader != way_ && merit(leader) > kept) {
    wait_ = hopeless() ? kLastTry : kFirstTry;
    in_way_ = 0;
    way_ = leader;
  }
  if (way_ != Way::kBurst) {
    return way_;
  }
  ledger(Way::kDraft).age();
  ledger(Way::kPipeline).age();
  if (++in_way_ <= wait_) {
    return way_;
  }
  const double worth = worth_of(of(drafting));
  const std::uint32_t tries = tries_at(worth);
  if (in_way_ >= wait_ + tries) {
    wait_ = std::min(2 * wait_, longest_wait(of(drafting).round, tries, worth));
    in_way_ = 0;
  }
  return drafting;
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
