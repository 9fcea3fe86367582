#include "gelato/edge/decider.h"

#include "gelato/engine/row_stats.h"
#include "gelato/proto/row_code.h"
#include "gelato/spec/verify.h"

namespace gelato::edge {

std::uint32_t rows_needed(const proto::Draft& draft) {
  return static_cast<std::uint32_t>(draft.draft.size()) + (draft.no_bonus ? 0U : 1U);
}

Result<Decision> Decider::decide(const Law& law, const proto::Draft& draft, std::uint32_t base,
                                 Target& target, std::size_t append) {
  if (law.mode == proto::WireMode::kIds) {
    return greedy(draft, target, append);
  }
  Rng rng(law.seed, stream_id("verify"), 2 * std::uint64_t{base});
  return sampling(law, draft, rng, target, append);
}

Result<Decision> Decider::greedy(const proto::Draft& draft, Target& target, std::size_t append) {
  const std::uint32_t rows = rows_needed(draft);
  for (std::uint32_t i = 0; i < rows; ++i) {
    const auto logits = target.logits(append, i);
    if (!logits) {
      return fail(logits.error());
    }
    const auto top1 = engine::row_argmax(*logits);
    if (!top1) {
      return fail(top1.error());
    }
    if (i == draft.draft.size() || draft.draft.tokens()[i] != *top1) {
      return Decision{.accepted = i, .next = *top1, .row = {}};
    }
  }
  return Decision{.accepted = rows, .next = {}, .row = {}};
}

Result<Decision> Decider::sampling(const Law& law, const proto::Draft& draft, Rng& rng,
                                   Target& target, std::size_t append) {
  const bool scalars = law.mode == proto::WireMode::kDssd;
  const std::uint32_t rows = rows_needed(draft);
  sampler_.set_params(law.sampler);
  for (std::uint32_t i = 0; i < rows; ++i) {
    const auto logits = target.logits(append, i);
    if (!logits) {
      return fail(logits.error());
    }
    if (auto ok = sampler_.distribution(*logits, row_); !ok) {
      return fail(ok.error());
    }
    if (i == draft.draft.size()) {
      return Decision{.accepted = i, .next = row_.sample(rng.uniform()), .row = {}};
    }
    const spec::Token x = draft.draft.tokens()[i];
    const double p = scalars ? proto::rounded_prob(row_, x) : row_.prob(x);
    const double q = scalars ? draft.q[i] : draft.draft.rows()[i].prob(x);
    if (spec::accept_token(p, q, rng.uniform())) {
      continue;
    }
    Decision rejected{.accepted = i, .next = {}, .row = {}};
    if (scalars) {
      proto::encode_row(row_, target.shape().n_vocab, rejected.row);
    } else {
      rejected.next = spec::sample_residual(row_, draft.draft.rows()[i], rng.uniform());
    }
    return rejected;
  }
  return Decision{.accepted = rows, .next = {}, .row = {}};
}

}  // namespace gelato::edge
