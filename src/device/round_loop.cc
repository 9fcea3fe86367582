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

void RoundLoop::speculate(spec::Drafter& drafter, control::Policy& policy) {
  drafter_ = &drafter;
  policy_ = &policy;
}

Result<GenerationStats> RoundLoop::run(std::span<const spec::Token> prompt, TokenSink& sink) {
  if (auto ok = start(prompt); !ok) {
    return fail(ok.error());
  }
  bool more = length_ <= options_.context_tokens;
  stats_.stop = StopReason::kContext;
  while (more) {
    if (auto ok = round(); !ok) {
      return fail(ok.error());
    }
    more = !finished(sink.on_commit(committed_));
  }
  stats_.total = clock_->now() - started_;
  summarise_gaps();
  return stats_;
}

Result<void> RoundLoop::start(std::span<const spec::Token> prompt) {
  stats_ = {};
  costs_ = {};
  stats_.prompt_tokens = prompt.size();
  length_ = prompt.size();
  committed_.reserve(control::kMaxDraftLength + 1);
  gaps_.clear();
  gaps_.reserve(options_.max_tokens > 0
                    ? std::min<std::uint64_t>(options_.max_tokens, options_.context_tokens)
                    : options_.context_tokens);
  started_ = clock_->now();
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
  return {};
}

// A round commits one token more than it drafts, and the verifier must hold all of it.
std::uint32_t RoundLoop::longest_draft() const {
  std::uint64_t bound = options_.context_tokens - length_;
  if (options_.max_tokens > 0) {
    bound = std::min(bound, options_.max_tokens - stats_.tokens - 1);
  }
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(bound, control::kMaxDraftLength));
}

// Whatever happens in the round, the policy hears of its end exactly once.
Result<void> RoundLoop::round() {
  const Seconds begin = clock_->now();
  control::RoundOutcome outcome;
  auto ok = attempt(outcome);
  outcome.answered = ok.has_value();
  outcome.drafted = drafted();
  outcome.elapsed = clock_->now() - begin;
  if (policy_ != nullptr) {
    policy_->end_round(outcome);
  }
  return ok;
}

Result<void> RoundLoop::attempt(control::RoundOutcome& outcome) {
  const Seconds begin = clock_->now();
  draft_.clear();
  if (policy_ != nullptr) {
    if (auto ok = fill_draft(); !ok) {
      return ok;
    }
  }
  const Seconds drafted_at = clock_->now();
  const auto verdict = verifier_->verify(draft_);
  if (!verdict) {
    return fail(verdict.error());
  }
  const Seconds verified_at = clock_->now();
  commit(*verdict, verified_at);
  if (drafter_ != nullptr) {
    if (auto ok = drafter_->commit(verdict->accepted, verdict->next); !ok) {
      return ok;
    }
  }
  outcome.accepted = verdict->accepted;
  outcome.committed = static_cast<std::uint32_t>(committed_.size());
  outcome.drafting = drafted_at - begin;
  costs_.add(drafted(), outcome.drafting, verified_at - drafted_at);
  stats_.drafting += outcome.drafting;
  stats_.verifying += verified_at - drafted_at;
  return {};
}

Result<void> RoundLoop::fill_draft() {
  control::RoundContext context;
  context.round = stats_.acceptance.rounds();
  context.context_tokens = static_cast<std::uint32_t>(length_);
  context.max_draft = longest_draft();
  context.cost = costs_.estimate();
  const auto plan = policy_->begin_round(context);
  const std::uint32_t bound = std::min(plan.max_draft, context.max_draft);
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
  ++stats_.draft_stops.bound;
  return {};
}

// Keeps what the round committed, up to the end of the text.
void RoundLoop::commit(const spec::Verdict& verdict, Seconds now) {
  stats_.acceptance.add(drafted(), verdict);
  committed_.clear();
  for (const spec::Token token : draft_.tokens().first(verdict.accepted)) {
    committed_.push_back({token, Origin::kAccepted});
    if (ends_text(token)) {
      break;
    }
  }
  if (committed_.size() == verdict.accepted &&
      (committed_.empty() || !ends_text(committed_.back().token))) {
    const Origin origin = draft_.empty()                      ? Origin::kTarget
                          : verdict.accepted == draft_.size() ? Origin::kBonus
                                                              : Origin::kCorrection;
    committed_.push_back({verdict.next, origin});
  }
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

bool RoundLoop::finished(bool sink_wants_more) {
  if (ends_text(committed_.back().token)) {
    stats_.stop = StopReason::kEndOfGeneration;
  } else if (!sink_wants_more) {
    stats_.stop = StopReason::kSink;
  } else if (options_.max_tokens > 0 && stats_.tokens >= options_.max_tokens) {
    stats_.stop = StopReason::kLimit;
  } else if (length_ > options_.context_tokens) {  // the newest token has no cell, and needs none
    stats_.stop = StopReason::kContext;
  } else {
    return false;
  }
  return true;
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
