// A round in chunks: the device drafts on while what it sent is on its way, on the assumption that
// all of it is accepted (docs/protocol.md, pipelining).
#include <algorithm>

#include "gelato/device/round_loop.h"

namespace gelato::device {

Result<void> RoundLoop::pipeline(const control::RoundPlan& plan, control::RoundOutcome& outcome) {
  const auto bound = static_cast<std::uint32_t>(
      std::min<std::uint64_t>({plan.max_draft, room() - 1, options_.max_draft}));
  const std::uint32_t window = std::max(plan.window, plan.chunk);
  sent_ = 0;
  closed_ = false;
  outcome.passes = 0;
  if (bound == 0) {
    if (auto ok = send_chunk(true); !ok) {
      return ok;
    }
  }
  for (;;) {
    const bool full = drafted() - verified_ >= window;
    const bool crowded = remote_->in_flight() >= remote_->max_in_flight();
    const bool waits = closed_ || full || crowded;
    const auto over = hear(waits, outcome);
    if (!over) {
      return fail(over.error());
    }
    if (*over) {
      return {};
    }
    if (!waits) {
      if (auto ok = draft_chunk(plan, bound, outcome); !ok) {
        return ok;
      }
    }
  }
}

// Drafts one more token, and sends what there is when it makes a chunk or is the last.
Result<void> RoundLoop::draft_chunk(const control::RoundPlan& plan, std::uint32_t bound,
                                    control::RoundOutcome& outcome) {
  const Seconds begin = clock_->now();
  const auto stats = drafter_->draft_one(draft_, plan.min_top1);
  const Seconds drafting = clock_->now() - begin;
  outcome.drafting += drafting;
  stats_.drafting += drafting;
  if (!stats) {
    return fail(stats.error());
  }
  if (!stats->has_value()) {
    ++stats_.draft_stops.drafter;
    return send_chunk(true);
  }
  if (ends_text(draft_.tokens().back())) {
    ++stats_.draft_stops.eog;
    return send_chunk(true);
  }
  if (drafted() == bound) {
    ++stats_.draft_stops.limit;
    return send_chunk(true);
  }
  if (!policy_->keep_drafting({.drafted = drafted(),
                               .last = **stats,
                               .max_draft = bound,
                               .verified = verified_,
                               .in_flight = sent_ - verified_})) {
    ++stats_.draft_stops.policy;
    return send_chunk(true);
  }
  return drafted() - sent_ >= plan.chunk ? send_chunk(false) : Result<void>{};
}

Result<void> RoundLoop::send_chunk(bool last) {
  copy_to_chunk(sent_);
  sent_ = drafted();
  closed_ = last;
  return remote_->send(chunk_, last);
}

void RoundLoop::copy_to_chunk(std::uint32_t from) {
  chunk_.clear();
  for (std::uint32_t i = from; i < drafted(); ++i) {
    chunk_.push(draft_.tokens()[i]) = draft_.rows()[i];
  }
}

// Takes an answer if there is one; `wait`: until there is. Returns whether the round is over.
Result<bool> RoundLoop::hear(bool wait, control::RoundOutcome& outcome) {
  if (remote_->in_flight() == 0) {
    return false;
  }
  const Seconds begin = clock_->now();
  const auto answer = remote_->receive(wait);
  stats_.verifying += wait ? clock_->now() - begin : Seconds();
  if (!answer) {
    return fail(answer.error());
  }
  switch (answer->state) {
    case ChunkAnswer::State::kNone:
      return false;
    case ChunkAnswer::State::kLost:
      if (auto ok = verify_rest(outcome); !ok) {
        return fail(ok.error());
      }
      return true;
    case ChunkAnswer::State::kVerdict:
      break;
  }
  if (auto ok = take(answer->verdict, outcome); !ok) {
    return fail(ok.error());
  }
  return done_ || answer->verdict.next;
}

// Commits what a chunk's verdict says. Accepted tokens are shown at once: the round may go on. The
// target's own token ends it; what was drafted after that is lost.
Result<void> RoundLoop::take(const ChunkVerdict& verdict, control::RoundOutcome& outcome) {
  ++outcome.passes;
  for (const spec::Token token : draft_.tokens().subspan(verified_, verdict.accepted)) {
    committed_.push_back({token, Origin::kAccepted});
    if (ends_text(token)) {
      break;
    }
  }
  verified_ += verdict.accepted;
  outcome.accepted = verified_;
  outcome.committed += static_cast<std::uint32_t>(committed_.size());
  if (!committed_.empty()) {
    record();
    deliver();
    committed_.clear();
  }
  if (done_ || !verdict.next) {
    return {};
  }
  const bool whole = closed_ && verified_ == drafted();
  const Origin origin = draft_.empty() ? Origin::kTarget
                        : whole        ? Origin::kBonus
                                       : Origin::kCorrection;
  committed_.push_back({*verdict.next, origin});
  ++outcome.committed;
  stats_.draft_stops.verdict += closed_ ? 0 : 1;
  stats_.acceptance.add(drafted(), {.accepted = verified_, .next = *verdict.next});
  costs_->add_drafting(drafted(), outcome.drafting);
  record();
  return drafter_->commit(verified_, *verdict.next);
}

// The link was lost with chunks in flight. What stands of the draft is committed; the rest goes
// again, in one message, as verify() sends it.
Result<void> RoundLoop::verify_rest(control::RoundOutcome& outcome) {
  copy_to_chunk(verified_);
  const auto verdict = verifier_->verify(chunk_);
  if (!verdict) {
    return fail(verdict.error());
  }
  stats_.draft_stops.verdict += closed_ ? 0 : 1;
  closed_ = true;
  return take({.accepted = verdict->accepted, .next = verdict->next}, outcome);
}

}  // namespace gelato::device
