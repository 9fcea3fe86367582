#include "gelato/engine/model_verifier.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "gelato/engine/row_stats.h"
#include "gelato/spec/verify.h"

namespace gelato::engine {

ModelVerifier::ModelVerifier(Context& context, const SamplerParams& params, std::uint64_t seed)
    : sequence_(context, 0), sampler_(params), rng_(seed, "verify") {
  input_.reserve(context.options().max_rows);
}

Result<void> ModelVerifier::start(std::span<const spec::Token> prompt) {
  const std::uint32_t capacity = sequence_.context().capacity();
  if (prompt.empty() || prompt.size() >= capacity) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("the prompt has {} tokens, but the context of {} tokens must hold it "
                            "and at least one more; shorten the prompt or raise --ctx-size",
                            prompt.size(), capacity));
  }
  if (auto ok = sequence_.truncate(0); !ok) {
    return ok;
  }
  pending_ = prompt.back();
  return prompt.size() < 2 ? Result<void>{} : sequence_.append(prompt.first(prompt.size() - 1), 0);
}

Result<spec::Verdict> ModelVerifier::verify(const spec::Draft& draft) {
  input_.assign(1, pending_);
  input_.insert(input_.end(), draft.tokens().begin(), draft.tokens().end());
  const std::uint32_t before = sequence_.length();
  if (auto ok = sequence_.append(input_, static_cast<std::uint32_t>(input_.size())); !ok) {
    return fail(ok.error());
  }
  auto verdict = sampler_.params().greedy() ? verify_greedy(draft) : verify_sampling(draft);
  if (!verdict) {
    return verdict;
  }
  pending_ = verdict->next;
  if (verdict->accepted < draft.size()) {
    if (auto ok = sequence_.truncate(before + 1 + verdict->accepted); !ok) {
      return fail(ok.error());
    }
  }
  return verdict;
}

// The argmax of a row is computed only as far as the draft stands.
Result<spec::Verdict> ModelVerifier::verify_greedy(const spec::Draft& draft) {
  logit_gap_ = std::numeric_limits<float>::infinity();
  input_.clear();  // from here on: the target's own choices
  for (std::uint32_t i = 0; i <= draft.size(); ++i) {
    const auto logits = sequence_.logits(i);
    if (!logits) {
      return fail(logits.error());
    }
    const auto stats = row_stats(*logits);
    if (!stats) {
      return fail(stats.error());
    }
    logit_gap_ = std::min(logit_gap_, stats->logit_gap);
    input_.push_back(stats->top1);
    if (i < draft.size() && draft.tokens()[i] != stats->top1) {
      break;
    }
  }
  const auto tested = std::min(draft.size(), input_.size() - 1);
  return spec::verify_greedy(draft.tokens().first(tested), input_);
}

Result<spec::Verdict> ModelVerifier::verify_sampling(const spec::Draft& draft) {
  return spec::verify_sampling(draft.tokens(), draft.rows(), *this, rng_);
}

Result<const spec::SparseDist*> ModelVerifier::row(std::size_t i) {
  const auto logits = sequence_.logits(static_cast<std::uint32_t>(i));
  if (!logits) {
    return fail(logits.error());
  }
  if (auto ok = sampler_.distribution(*logits, row_); !ok) {
    return fail(ok.error());
  }
  return &row_;
}

}  // namespace gelato::engine
