#include "gelato/control/gelato.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "gelato/control/round_estimate.h"

namespace gelato::control {
namespace {

// Rounds without an answer after which the device writes alone, if it may, and how many such
// rounds, of how many tokens, until the edge is tried again.
constexpr std::uint32_t kLostRounds = 2;
constexpr std::uint32_t kAloneRounds = 4;
constexpr std::uint32_t kAloneTokens = 8;
// A budget counts as infeasible while the thriftiest way needs this much more than it allows, and
// until it needs less than the other.
constexpr double kInfeasible = 1.02;
constexpr double kFeasible = 1.0;
// Tokens per joule, in units of throughput over power, when only thrift matters.
constexpr double kThriftOnly = 150.0;
// A probability no product of predictions falls below, so that it can be divided by.
constexpr double kLeastSurvival = 1e-9;
// Verdicts that differ from their predictions by so many standard deviations over the last 24
// rounds or so are a change of the text, not chance: once in some 10^4 rounds by mistake.
constexpr double kSurprise = 3.5;
constexpr double kRecent = 1.0 - 1.0 / 24.0;
// A row is called uncertain if the draft would have gone on after one this likely to stand.
constexpr double kCertain = 0.95;

}  // namespace

std::string_view to_string(Way way) {
  switch (way) {
    case Way::kDraft:
      return "draft";
    case Way::kPipeline:
      return "pipeline";
    case Way::kBurst:
      return "burst";
    case Way::kAlone:
      return "alone";
  }
  return "unknown";
}

GelatoPolicy::GelatoPolicy(const GelatoOptions& options, std::string name)
    : options_(options), name_(std::move(name)), energy_(options.v) {}

// An infeasible budget is replaced by the least joules per token there are: then the debt can grow
// for ever, and only the thriftiest round is worth anything.
Prices GelatoPolicy::prices() const {
  Prices prices{.per_second = throughput_,
                .per_joule = 0.0,
                .credit_per_token = {},
                .credit_per_second = {},
                .credit_per_round = {},
                .thrift = options_.thrift};
  const EnergyBudget& budget = options_.budget;
  if (!budget.limited()) {
    return prices;
  }
  if (why_.infeasible) {
    prices.credit_per_token = why_.least_per_token;
    prices.per_joule = kThriftOnly / std::max(why_.least_per_token.value(), 1e-9);
    return prices;
  }
  prices.per_joule = energy_.tokens_per_joule(throughput_);
  const Joules allowed = budget.allowance(choice_.round.tokens, choice_.round.time);
  if (allowed == choice_.round.tokens * budget.per_token) {
    prices.credit_per_token = budget.per_token;
  } else if (allowed == choice_.round.time * budget.per_second) {
    prices.credit_per_second = budget.per_second;
  } else {
    prices.credit_per_round = budget.per_round;
  }
  return prices;
}

void GelatoPolicy::check_budget(const RoundContext& context) {
  const EnergyBudget& budget = options_.budget;
  why_.least_per_token = planner_.least_per_token();
  if (!budget.limited() || context.max_draft < kFirstDraft) {
    return;  // the last few tokens of a text say nothing
  }
  why_.infeasible = planner_.demand(budget) > (why_.infeasible ? kFeasible : kInfeasible);
}

bool GelatoPolicy::goes_alone(const RoundContext& context) const {
  const bool unwilling = lost_ < kLostRounds && !why_.infeasible;
  if (!context.may_draft_alone || context.max_draft == 0 || unwilling) {
    return false;
  }
  if (lost_ < kLostRounds) {
    return cost_.draft_token_energy < why_.least_per_token;
  }
  return alone_ < kAloneRounds;
}

RoundPlan GelatoPolicy::begin_round(const RoundContext& context) {
  cost_ = usable(context.cost);
  predictor_.begin_round();
  survival_[0] = 1.0;
  asked_ = tried_ = 0;
  stop_ = Stop::kNone;
  planned_ = cost_.draft_token > Seconds() && verify_time(cost_, 0) + cost_.round_trip > Seconds();
  if (!planned_) {
    return explore(context);
  }
  const PlanLimits limits{.max_draft = options_.max_draft,
                          .in_flight = std::min(options_.in_flight, context.max_in_flight),
                          .modes = options_.modes};
  prices_ = prices();
  edge_ = if_all_did(cost_, usual_);
  choice_ = planner_.choose(edge_, curve_, limits, prices_);
  if (choice_.way == Way::kPipeline && context.max_draft < choice_.line.window) {
    choice_.way = Way::kDraft;  // the end of the text is near
    choice_.line = {};
  }
  throughput_ = choice_.round.tokens / choice_.round.time.value();
  prices_.per_second = std::max(prices_.value(choice_.round) / choice_.round.time.value(), 0.0);
  rule_ = StoppingRule(edge_.draft, prices_.around(choice_.round), choice_.line,
                       curve_.acceptance(choice_.line.chunk));
  check_budget(context);
  if (goes_alone(context)) {
    return write_alone(context);
  }
  trace(context.round);
  const bool drafts = choice_.way != Way::kBurst || choice_.trial_at > 0;
  bound_ = drafts ? std::min(options_.max_draft, context.max_draft) : 0;
  RoundPlan plan{.max_draft = bound_};
  if (choice_.way == Way::kBurst) {
    plan.mode = RoundMode::kTargetOnly;
    plan.burst = std::max(choice_.length, 1U);
    plan.trial_at = bound_ > 0 ? choice_.trial_at : 0;
  } else {
    choice_.length = bound_;
  }
  plan.chunk = choice_.line.chunk;
  plan.window = choice_.line.window;
  return plan;
}

// Without costs there is nothing to weigh: a short draft finds them out.
RoundPlan GelatoPolicy::explore(const RoundContext& context) {
  bound_ = std::min({kFirstDraft, options_.max_draft, context.max_draft});
  choice_ = {};
  choice_.length = bound_;
  trace(context.round);
  return {.max_draft = bound_};
}

RoundPlan GelatoPolicy::write_alone(const RoundContext& context) {
  bound_ = std::min(kAloneTokens, context.max_draft);
  choice_ = {};
  choice_.way = Way::kAlone;
  choice_.length = bound_;
  trace(context.round);
  return {.max_draft = bound_, .mode = RoundMode::kDraftOnly};
}

void GelatoPolicy::trace(std::uint64_t round) {
  const PricePoint& before = why_.trace[(why_.traced + Why::kTrace - 1) % Why::kTrace];
  why_.switches += why_.traced > 0 && before.way != choice_.way ? 1 : 0;
  ++why_.rounds[static_cast<std::size_t>(choice_.way)];
  why_.trace[why_.traced++ % Why::kTrace] = {.round = round,
                                             .way = choice_.way,
                                             .tokens_per_second = throughput_,
                                             .tokens_per_joule = prices_.per_joule,
                                             .debt = energy_.debt(),
                                             .length = choice_.length,
                                             .chunk = choice_.line.chunk,
                                             .window = choice_.line.window};
}

Standing GelatoPolicy::standing(std::uint32_t drafted, std::uint32_t sent,
                                std::uint32_t verified) const {
  return {.unsent = survival_[drafted] / survival_[sent],
          .unverified = survival_[drafted] / survival_[verified],
          .unsent_tokens = drafted - sent};
}

bool GelatoPolicy::keep_drafting(const DraftState& state) {
  const std::uint32_t drafted = std::clamp(state.drafted, 1U, kMaxDraftLength);
  const double predicted = predictor_.predict(state.last, drafted - 1);
  const double stands = options_.predictor ? predicted : curve_.acceptance(drafted - 1);
  predicted_[drafted - 1] = static_cast<float>(stands);
  survival_[drafted] = std::max(survival_[drafted - 1] * stands, kLeastSurvival);
  asked_ = drafted;
  if (!planned_ || choice_.way == Way::kAlone) {
    return true;
  }
  const std::uint32_t verified = std::min(state.verified, drafted);
  const std::uint32_t sent = std::min(verified + state.in_flight, drafted);
  const Standing now = standing(drafted, sent, verified);
  const double next = curve_.acceptance(drafted);
  if (rule_.go_on(now, next)) {
    stop_ = Stop::kNone;
    return true;
  }
  Standing with_certain =
      standing(drafted - 1, std::min(sent, drafted - 1), std::min(verified, drafted - 1));
  with_certain.unsent *= kCertain;
  with_certain.unverified *= kCertain;
  with_certain.unsent_tokens = now.unsent_tokens;
  stop_ = rule_.too_dear(now, next)         ? Stop::kBudget
          : rule_.go_on(with_certain, next) ? Stop::kEntropy
                                            : Stop::kPrice;
  return false;
}

// What a round that did this and took so long costs by the estimate.
Joules GelatoPolicy::modelled(const RoundOutcome& outcome) const {
  const Seconds elapsed = usable(outcome.elapsed);
  const double messages =
      choice_.line.chunk > 0 ? std::ceil(outcome.drafted / (1.0 * choice_.line.chunk)) : 1.0;
  const Seconds sending =
      messages * uplink_time(cost_, 0) +
      (uplink_time(cost_, std::min(outcome.drafted, kMaxDraftLength)) - uplink_time(cost_, 0));
  const Seconds waiting =
      std::max(elapsed - (outcome.drafted + tried_) * cost_.draft_token, Seconds());
  return (outcome.drafted + tried_) * cost_.draft_token_energy + cost_.tx_power * sending +
         cost_.wait_power * waiting;
}

// Of the first tokens of the draft, by the predictions: those that stand and one more.
double GelatoPolicy::expected_tokens_of(std::uint32_t drafted) const {
  return std::accumulate(survival_.begin() + 1, survival_.begin() + 1 + drafted, 1.0);
}

// What the planner is to learn: how far its forecast was off once the verdict is known. The luck of
// the verdict itself is none of its mistakes.
void GelatoPolicy::learn(const RoundOutcome& outcome, Joules energy) {
  RoundForecast forecast{.tokens = 1.0, .time = {}, .energy = modelled(outcome)};
  RoundForecast turned_out{.tokens = 1.0, .time = usable(outcome.elapsed), .energy = energy};
  if (choice_.way == Way::kBurst) {
    // The text may end within a burst, and a loop in one process gives one token at a time.
    forecast.time = forecast_burst(edge_.burst, std::clamp(outcome.committed, 1U, kMaxBurst)).time;
    planner_.wrote(outcome.committed);
  } else {
    usual_ = kRecent * usual_ + (1.0 - kRecent) * std::min(outcome.drafted, kMaxDraftLength);
    const Pipeline& line = choice_.line;
    // What a pipeline gains where others send less than it is not to be counted on.
    const bool piped = line.chunk > 0;
    const Pipeline own = piped ? lay_pipeline(cost_, line.chunk, line.window) : line;
    forecast.time = round_time(piped ? cost_ : edge_.draft, own, outcome.drafted, outcome.accepted,
                               stop_ != Stop::kNone || outcome.drafted == bound_);
    // A pipeline drafts until a verdict stops it, so that what it was expected to bring is not
    // known; it counts as foreseen.
    forecast.tokens = expected_tokens_of(asked_);
    turned_out.tokens =
        choice_.way == Way::kDraft ? std::min(outcome.accepted, asked_) + 1.0 : forecast.tokens;
  }
  if (turned_out.time > Seconds()) {
    planner_.learn(choice_.way, forecast, turned_out);
  }
}

bool GelatoPolicy::surprised(std::uint32_t drafted, std::uint32_t accepted) {
  unforeseen_ *= kRecent;
  variance_ *= kRecent;
  const std::uint32_t tested = std::min({accepted + 1, drafted, asked_});
  for (std::uint32_t i = 0; i < tested; ++i) {
    const double p = predicted_[i];
    unforeseen_ += (i < accepted ? 1.0 : 0.0) - p;
    variance_ += p * (1.0 - p);
  }
  if (unforeseen_ * unforeseen_ <= kSurprise * kSurprise * std::max(variance_, 1.0)) {
    return false;
  }
  unforeseen_ = variance_ = 0.0;
  return true;
}

// What a draft and its verdict tell of drafts to come.
void GelatoPolicy::learn_draft(std::uint32_t drafted, std::uint32_t accepted) {
  planner_.observe(std::span(predicted_).first(asked_), curve_);
  curve_.learn(drafted, accepted);
  if (surprised(drafted, accepted)) {
    curve_ = SurvivalCurve();
    curve_.learn(drafted, accepted);
    predictor_.doubt();
    if (planned_) {
      planner_.forget_drafts(curve_);
    }
  }
  if (options_.online) {
    predictor_.learn(drafted, accepted);
    why_.reliability = predictor_.reliability();
  }
}

std::uint32_t GelatoPolicy::end_trial(std::uint32_t drafted, std::uint32_t accepted) {
  learn_draft(drafted, accepted);
  const std::uint32_t next =
      planner_.tried(asked_, expected_tokens_of(std::min(drafted, asked_)), accepted);
  tried_ += asked_;
  ++why_.trials;
  predictor_.begin_round();
  asked_ = 0;
  return next;
}

void GelatoPolicy::end_round(const RoundOutcome& outcome) {
  const Joules metered = usable(outcome.energy);
  const Joules energy = metered > Joules() ? metered : modelled(outcome);
  if (options_.budget.limited() && !why_.infeasible) {
    const double committed = std::min(outcome.committed, kMaxBurst);
    energy_.spend(energy, options_.budget.allowance(committed, usable(outcome.elapsed)),
                  outcome.elapsed);
  }
  lost_ = outcome.answered ? 0 : lost_ + 1;
  if (choice_.way == Way::kAlone) {
    ++alone_;
    return;
  }
  alone_ = 0;
  if (!outcome.answered) {
    return;
  }
  count_stop(outcome);
  if (outcome.drafted > 0) {
    learn_draft(outcome.drafted, outcome.accepted);
  }
  if (planned_) {
    learn(outcome, energy);
  }
}

void GelatoPolicy::count_stop(const RoundOutcome& outcome) {
  if (choice_.way == Way::kBurst || outcome.drafted == 0) {
    return;
  }
  if (stop_ == Stop::kPrice) {
    ++why_.stops.price;
  } else if (stop_ == Stop::kBudget) {
    ++why_.stops.budget;
  } else if (stop_ == Stop::kEntropy) {
    ++why_.stops.entropy;
  } else if (outcome.drafted >= bound_) {
    ++why_.stops.limit;
  } else if (outcome.accepted < outcome.drafted && choice_.way == Way::kPipeline) {
    ++why_.stops.verdict;
  } else {
    ++why_.stops.eog;
  }
}

std::unique_ptr<Policy> make_gelato(std::span<const double> values) {
  GelatoOptions options;
  options.v = values[0];
  options.budget = {.per_token = Joules(values[1]),
                    .per_second = Watts(values[2]),
                    .per_round = Joules(values[3])};
  options.thrift = values[4];
  options.max_draft = static_cast<std::uint32_t>(values[5]);
  options.in_flight = static_cast<std::uint32_t>(values[6]);
  options.predictor = values[7] != 0.0;
  options.modes = values[8] != 0.0;
  options.online = values[9] != 0.0;
  return std::make_unique<GelatoPolicy>(options, policy_text(kGelato, values));
}

}  // namespace gelato::control
