// A draft model as spec::Drafter.
#pragma once

#include <optional>
#include <vector>

#include "gelato/base/rng.h"
#include "gelato/engine/context.h"
#include "gelato/engine/sampler.h"
#include "gelato/spec/decoding.h"
#include "gelato/spec/dist_codec.h"

namespace gelato::engine {

// Keeps the text and how much of it the KV cache holds; the two are brought together at the next
// draft, in one pass. So after a round in which everything was accepted the first pass reads two
// tokens, otherwise one, and never a token twice.
class ModelDrafter final : public spec::Drafter {
 public:
  // `context` must outlive this; its sequence 0 is used. Ids from `common` on are never proposed
  // (spec::VocabularyMatch::common). In sampling mode token i is drawn from its row with stream
  // "draft" of `seed`; with `codec` the row is quantised first, so that what wire mode `qrow` sends
  // is what the token was drawn from.
  ModelDrafter(Context& context, const SamplerParams& params, spec::Token common,
               std::uint64_t seed, std::optional<spec::DistCodec> codec = std::nullopt);

  // Errors: none of its own; a prompt longer than the context only means that nothing is drafted.
  Result<void> start(std::span<const spec::Token> prompt) override;
  // Gives nullopt when the draft's context is full: the target goes on alone.
  // Errors: those of Context::decode() and row_stats().
  Result<std::optional<spec::RowStats>> draft_one(spec::Draft& draft, float min_top1) override;
  Result<void> commit(std::uint32_t accepted, spec::Token next) override;

 private:
  void push(spec::Token token);

  Sequence sequence_;
  Sampler sampler_;
  Rng rng_;
  spec::Token common_;
  std::optional<spec::DistCodec> codec_;
  spec::SparseDist row_;           // the newest row, until it moves into the draft
  std::vector<spec::Token> text_;  // committed text, then the draft
  std::size_t committed_ = 0;      // how much of text_ is committed
};

}  // namespace gelato::engine
