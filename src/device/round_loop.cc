#include "gelato/device/round_loop.h"

#include <algorithm>
#include <cmath>

namespace gelato::device {

std::string_view to_string(StopReason reason) {
  switch (reason) {
    case StopReason::kEndOfGeneration:
      return "eog";
    case StopReason::kLimit:
      return "limit";
    case StopReason::kContext:
      return "context";
    case StopReason::kSink:
      return "sink";
  }
  return "unknown";
}

RoundLoop::RoundLoop(spec::Verifier& verifier, const Clock& clock, LoopOptions options)
    : verifier_(&verifier), clock_(&clock), options_(std::move(options)) {}

RoundLoop::RoundLoop(RemoteTarget& target, const Clock& clock, LoopOptions options)
    : verifier_(&target), remote_(&target), clock_(&clock), options_(std::move(options)) {}

void RoundLoop::speculate(spec::Drafter& drafter, control::Policy& policy) {
  drafter_ = &drafter;
  policy_ = &policy;
}

Result<GenerationStats> RoundLoop::run(std::span<const spec::Token> prompt, TokenSink& sink) {
  sink_ = &sink;
  if (auto ok = start(prompt); !ok) {
    return fail(ok.error());
  }
  while (!done_) {
    committed_.clear();
    const bool alone = may_go_alone() && !remote_->reachable();
    const auto ok = alone ? local_round() : round();
    if (!ok && ok.error().code == ErrorCode::kCancelled) {
      stats_.stop = StopReason::kSink;
      break;
    }
    if (!ok) {
      return fail(ok.error());
    }
    if (!committed_.empty()) {
      deliver();
    }
  }
  stats_.total = clock_->now() - started_;
  if (options_.energy != nullptr) {
    options_.energy->finish(clock_->now());
  }
  explain_stops();
  summarise_gaps();
  return stats_;
}

Result<void> RoundLoop::start(std::span<const spec::Token> prompt) {
  stats_ = {};
  own_costs_ = {};
  costs_ = options_.costs != nullptr ? options_.costs : &own_costs_;
  stats_.prompt_tokens = prompt.size();
  length_ = prompt.size();
  done_ = length_ > options_.context_tokens;
  stats_.stop = StopReason::kContext;
  committed_.reserve(control::kMaxDraftLength + 1);
  gaps_.clear();
  gaps_.reserve(options_.max_tokens > 0
                    ? std::min<std::uint64_t>(options_.max_tokens, options_.context_tokens)
                    : options_.context_tokens);
  reasons_before_ = {};
  if (policy_ != nullptr && policy_->why() != nullptr) {
    reasons_before_ = policy_->why()->stops;
  }
  started_ = clock_->now();
  if (options_.energy != nullptr) {
    options_.energy->begin(started_);
  }
  if (auto ok = verifier_->start(prompt); !ok) {
    return ok;
  }
  if (drafter_ != nullptr) {
    if (auto ok = drafter_->start(prompt); !ok) {
      return ok;
    }
  }
  last_commit_ = clock_->now();
  stats_.prefill = last_commit_ - started_;
  spend(Seconds());
  return {};
}

// The energy since the last call, `drafting` of the time having gone into the draft model.
Joules RoundLoop::spend(Seconds drafting) {
  return options_.energy != nullptr ? options_.energy->lap(drafting, clock_->now()) : Joules();
}

// Tokens that may still be committed: what is wanted, and what the verifier can hold. The newest
// token of all has no cell and needs none.
std::uint64_t RoundLoop::room() const {
  const std::uint64_t cells = options_.context_tokens - length_ + 1;
  return options_.max_tokens > 0 ? std::min(cells, options_.max_tokens - stats_.tokens) : cells;
}

control::RoundContext RoundLoop::context() const {
  control::RoundContext context;
  context.round = stats_.acceptance.rounds();
  context.context_tokens = static_cast<std::uint32_t>(length_);
  // A round commits one token more than it drafts.
  context.max_draft =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(room() - 1, options_.max_draft));
  context.cost = costs_->estimate();
  if (remote_ != nullptr) {
    context.max_in_flight = remote_->max_in_flight();
    remote_->estimate(context.cost);
  }
  if (options_.energy != nullptr) {
    options_.energy->estimate(context.cost);
  }
  return context;
}

bool RoundLoop::may_go_alone() const {
  return remote_ != nullptr && remote_->away() && options_.draft_when_away && drafter_ != nullptr;
}

// Whatever happens in the round, the policy hears of its end exactly once.
Result<void> RoundLoop::round() {
  const Seconds begin = clock_->now();
  draft_.clear();
  verified_ = 0;
  control::RoundPlan plan;
  if (policy_ != nullptr) {
    plan = policy_->begin_round(context());
  }
  control::RoundOutcome outcome;
  auto ok = attempt(plan, outcome);
  outcome.answered = ok.has_value();
  outcome.drafted = drafted();
  outcome.elapsed = clock_->now() - begin;
  outcome.energy = spend(outcome.drafting);
  if (policy_ != nullptr) {
    policy_->end_round(outcome);
  }
  if (!ok && may_go_alone()) {
    // What had been drafted for the target becomes text without it.
    return draft_.empty() ? local_round() : commit_draft();
  }
  return ok;
}

Result<void> RoundLoop::attempt(const control::RoundPlan& plan, control::RoundOutcome& outcome) {
  if (plan.mode == control::RoundMode::kTargetOnly) {
    return remote_ != nullptr ? burst(plan, outcome) : verify(outcome);
  }
  const bool chunks = plan.chunk > 0 && plan.mode == control::RoundMode::kSpeculate;
  if (chunks && remote_ != nullptr && remote_->max_in_flight() > 1) {
    return pipeline(plan, outcome);
  }
  if (policy_ != nullptr) {
    const Seconds begin = clock_->now();
    if (auto ok = fill_draft(plan); !ok) {
      return ok;
    }
    outcome.drafting = clock_->now() - begin;
    stats_.drafting += outcome.drafting;
  }
  if (plan.mode != control::RoundMode::kDraftOnly) {
    return verify(outcome);
  }
  outcome.committed = drafted();
  return commit_draft();
}

Result<void> RoundLoop::verify(control::RoundOutcome& outcome) {
  const Seconds begin = clock_->now();
  const auto verdict = verifier_->verify(draft_);
  if (!verdict) {
    return fail(verdict.error());
  }
  const Seconds verifying = clock_->now() - begin;
  keep(*verdict);
  if (drafter_ != nullptr) {
    if (auto ok = drafter_->commit(verdict->accepted, verdict->next); !ok) {
      return ok;
    }
  }
  stats_.acceptance.add(drafted(), *verdict);
  stats_.verifying += verifying;
  costs_->add(drafted(), outcome.drafting, verifying);
  outcome.accepted = verdict->accepted;
  outcome.committed = static_cast<std::uint32_t>(committed_.size());
  record();
  return {};
}

Result<void> RoundLoop::fill_draft(const control::RoundPlan& plan) {
  const bool draft_only = plan.mode == control::RoundMode::kDraftOnly;
  const std::uint64_t longest = draft_only ? room() : room() - 1;
  const auto bound = static_cast<std::uint32_t>(
      std::min<std::uint64_t>({plan.max_draft, longest, options_.max_draft}));
  while (draft_.size() < bound) {
    const auto stats = drafter_->draft_one(draft_, plan.min_top1);
    if (!stats) {
      return fail(stats.error());
    }
    if (!stats->has_value()) {
      ++stats_.draft_stops.drafter;
      return {};
    }
    if (ends_text(draft_.tokens().back())) {
      ++stats_.draft_stops.eog;
      return {};
    }
    if (draft_.size() < bound &&
        !policy_->keep_drafting({.drafted = drafted(), .last = **stats, .max_draft = bound})) {
      ++stats_.draft_stops.policy;
      return {};
    }
  }
  ++stats_.draft_stops.limit;
  return {};
}

// One token of the draft model, while the target is out of reach.
Result<void> RoundLoop::local_round() {
  draft_.clear();
  verified_ = 0;
  const Seconds begin = clock_->now();
  const auto drafted = drafter_->draft_one(draft_, 0.0F);
  spend(clock_->now() - begin);
  return drafted ? commit_draft() : fail(drafted.error());
}

// What is not verified of the draft becomes text, verified by nobody.
Result<void> RoundLoop::commit_draft() {
  if (draft_.empty()) {
    done_ = true;  // the draft model's context is full: StopReason::kContext
    return {};
  }
  const auto unverified = draft_.tokens().subspan(verified_);
  for (const spec::Token token : unverified) {
    committed_.push_back({token, Origin::kDraft});
  }
  stats_.unverified += unverified.size();
  if (remote_ != nullptr) {
    remote_->append(unverified);
  }
  record();
  return drafter_->commit(drafted() - 1, draft_.tokens().back());
}

// Keeps what the verdict commits, up to the end of the text.
void RoundLoop::keep(const spec::Verdict& verdict) {
  for (const spec::Token token : draft_.tokens().first(verdict.accepted)) {
    committed_.push_back({token, Origin::kAccepted});
    if (ends_text(token)) {
      return;
    }
  }
  const Origin origin = draft_.empty()                      ? Origin::kTarget
                        : verdict.accepted == draft_.size() ? Origin::kBonus
                                                            : Origin::kCorrection;
  committed_.push_back({verdict.next, origin});
}

// Takes committed_ into the books.
void RoundLoop::record() {
  const Seconds now = clock_->now();
  if (stats_.tokens == 0) {
    stats_.first_token = now - started_;
  }
  for (std::size_t i = 0; i < committed_.size() && gaps_.size() < gaps_.capacity(); ++i) {
    gaps_.push_back(i == 0 ? (now - last_commit_).value() : 0.0);
  }
  last_commit_ = now;
  stats_.tokens += committed_.size();
  length_ += committed_.size();
}

bool RoundLoop::ends_text(spec::Token token) const {
  return std::binary_search(options_.end_of_generation.begin(), options_.end_of_generation.end(),
                            token);
}

// Hands committed_ to the sink, and sees whether the generation is over.
void RoundLoop::deliver() {
  const bool wants_more = sink_->on_commit(committed_);
  done_ = true;
  if (ends_text(committed_.back().token)) {
    stats_.stop = StopReason::kEndOfGeneration;
  } else if (!wants_more) {
    stats_.stop = StopReason::kSink;
  } else if (options_.max_tokens > 0 && stats_.tokens >= options_.max_tokens) {
    stats_.stop = StopReason::kLimit;
  } else if (length_ > options_.context_tokens) {
    stats_.stop = StopReason::kContext;
  } else {
    done_ = false;
  }
}

// Divides what the policy stopped by its reasons. Rounds without an answer have none.
void RoundLoop::explain_stops() {
  if (policy_ == nullptr || policy_->why() == nullptr) {
    return;
  }
  const control::StopReasons& now = policy_->why()->stops;
  DraftStops& stops = stats_.draft_stops;
  const auto take = [&stops](std::uint64_t& reason, std::uint64_t count) {
    reason = std::min(count, stops.policy);
    stops.policy -= reason;
  };
  take(stops.price, now.price - reasons_before_.price);
  take(stops.budget, now.budget - reasons_before_.budget);
  take(stops.entropy, now.entropy - reasons_before_.entropy);
}

void RoundLoop::summarise_gaps() {
  const auto percentile = [this](double p) {
    if (gaps_.size() < 2) {
      return Seconds();
    }
    // The first gap holds the prompt's last token, not the distance between two tokens.
    const auto rank = std::lround(p * static_cast<double>(gaps_.size() - 2));
    const auto nth = gaps_.begin() + 1 + rank;
    std::nth_element(gaps_.begin() + 1, nth, gaps_.end());
    return Seconds(*nth);
  };
  stats_.gap_p50 = percentile(0.5);
  stats_.gap_p95 = percentile(0.95);
}

}  // namespace gelato::device
