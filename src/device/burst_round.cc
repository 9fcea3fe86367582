// A round that the target writes by itself, and the trials of drafts beside it.
#include <algorithm>

#include "gelato/device/round_loop.h"

namespace gelato::device {

// Tokens are delivered as they come.
Result<void> RoundLoop::burst(const control::RoundPlan& plan, control::RoundOutcome& outcome) {
  const auto wanted =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(std::max(plan.burst, 1U), room()));
  const bool tries = drafter_ != nullptr && options_.greedy && plan.max_draft > 0;
  trial_ = {.at = tries ? plan.trial_at : 0};
  Result<void> drafter_follows;
  std::uint32_t written = 0;
  const auto show = [&](std::span<const spec::Token> tokens) {
    for (std::size_t i = 0; i < tokens.size() && drafter_follows && !done_; ++i) {
      drafter_follows = drafter_ != nullptr ? follow(tokens[i], ++written) : Result<void>{};
      committed_.assign(1, {tokens[i], Origin::kTarget});
      record();
      deliver();
    }
    committed_.clear();
    const bool more = !done_ && written < wanted;
    if (drafter_follows && more && draft_.empty() && trial_.at > 0 && written >= trial_.at) {
      drafter_follows = try_draft(std::min(plan.max_draft, wanted - written), outcome);
    }
    return drafter_follows && !done_;
  };
  const Seconds begin = clock_->now();
  const auto answer = remote_->write(wanted, show);
  stats_.verifying += clock_->now() - begin - outcome.drafting;
  if (drafter_follows && !draft_.empty() && trial_.agreed > 0) {
    drafter_follows = end_trial(written);  // the burst ended first
  }
  if (!drafter_follows || !answer) {
    return drafter_follows ? fail(answer.error()) : drafter_follows;
  }
  stats_.acceptance.add(0, {});
  outcome.committed = *answer;
  done_ = done_ || *answer == 0;  // the target's context is full: StopReason::kContext
  if (draft_.empty() || done_) {
    return {};
  }
  // An edge that ended early, after the draft and before the next token: the draft goes there.
  auto ok = verify(outcome);
  outcome.committed += *answer;
  return ok;
}

// Drafts up to `longest` tokens after what has come of the burst.
Result<void> RoundLoop::try_draft(std::uint32_t longest, control::RoundOutcome& outcome) {
  const Seconds begin = clock_->now();
  trial_.agreed = 0;
  longest = std::min(longest, options_.max_draft);
  while (drafted() < longest) {
    const auto stats = drafter_->draft_one(draft_, 0.0F);
    if (!stats) {
      return fail(stats.error());
    }
    if (!stats->has_value() || ends_text(draft_.tokens().back())) {
      break;
    }
    if (drafted() < longest &&
        !policy_->keep_drafting({.drafted = drafted(), .last = **stats, .max_draft = longest})) {
      break;
    }
  }
  trial_.at = draft_.empty() ? 0 : trial_.at;
  const Seconds drafting = clock_->now() - begin;
  outcome.drafting += drafting;
  stats_.drafting += drafting;
  costs_->add_drafting(drafted(), drafting);
  return {};
}

// The drafter takes up a token of the target's, the `written`-th of the burst, which may be the
// verdict on a trial.
Result<void> RoundLoop::follow(spec::Token token, std::uint32_t written) {
  if (draft_.empty()) {
    return drafter_->commit(0, token);
  }
  if (draft_.tokens()[trial_.agreed] == token) {
    return ++trial_.agreed == drafted() ? end_trial(written) : Result<void>{};
  }
  auto ok = drafter_->commit(trial_.agreed, token);
  judge(drafted(), written);
  return ok;
}

// The trial is over, with all that could be compared of it as the target wrote it.
Result<void> RoundLoop::end_trial(std::uint32_t written) {
  auto ok = drafter_->commit(trial_.agreed - 1, draft_.tokens()[trial_.agreed - 1]);
  judge(trial_.agreed, written);
  return ok;
}

void RoundLoop::judge(std::uint32_t compared, std::uint32_t written) {
  const std::uint32_t next = policy_->end_trial(compared, trial_.agreed);
  trial_.at = next > 0 ? written + next : 0;
  draft_.clear();
}

}  // namespace gelato::device
