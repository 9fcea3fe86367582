#include "gelato/edge/target.h"

namespace gelato::edge {

TargetShape ContextTarget::shape() const {
  const engine::ContextOptions& options = context_->options();
  return {.n_vocab = context_->model().info().vocabulary_size,
          .cells = context_->capacity(),
          .sequences = options.sequences,
          .batch_tokens = options.batch_tokens,
          .max_rows = options.max_rows};
}

}  // namespace gelato::edge
