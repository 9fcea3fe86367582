// A target model in this process as spec::Verifier.
#pragma once

#include <vector>

#include "gelato/base/rng.h"
#include "gelato/engine/context.h"
#include "gelato/engine/sampler.h"
#include "gelato/spec/decoding.h"
#include "gelato/spec/verify.h"

namespace gelato::engine {

// One pass of the target per round: the last committed token and the whole draft go in, one row per
// position comes out. With an empty draft this is plain autoregressive decoding, so the target
// alone and the target with a draft run the same code.
class ModelVerifier final : public spec::Verifier, private spec::TargetRows {
 public:
  // `context` must outlive this; its sequence 0 is used. In sampling mode decisions are drawn from
  // stream "verify" of `seed`.
  ModelVerifier(Context& context, const SamplerParams& params, std::uint64_t seed);

  // Errors: kInvalidArgument if the prompt does not fit the context with a token to spare; those of
  // Context::decode().
  Result<void> start(std::span<const spec::Token> prompt) override;
  // Errors: kLimitExceeded when the context is full; those of Context::decode() and row_stats().
  Result<spec::Verdict> verify(const spec::Draft& draft) override;

  // The smallest gap between the two largest logits among the rows that decided the last verdict
  // (greedy only): where it is below kLogitTolerance, another batch shape may decide otherwise.
  [[nodiscard]] float last_logit_gap() const { return logit_gap_; }

 private:
  Result<spec::Verdict> verify_greedy(const spec::Draft& draft);
  Result<spec::Verdict> verify_sampling(const spec::Draft& draft);
  Result<const spec::SparseDist*> row(std::size_t i) override;

  Sequence sequence_;
  Sampler sampler_;
  Rng rng_;
  spec::Token pending_ = 0;  // last committed token, not yet in the KV cache
  float logit_gap_ = 0.0F;
  std::vector<spec::Token> input_;  // pending_, then the draft
  spec::SparseDist row_;            // of the target, reused
};

// How far one logit may move between a pass over one token and a pass over many: kernels for
// different batch shapes add in different orders. Greedy outputs may differ only where the top two
// logits are closer than this. Measured bound and how: docs/modules/engine.md.
inline constexpr float kLogitTolerance = 0.5F;

}  // namespace gelato::engine
