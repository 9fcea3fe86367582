// Entropy, top-1 probability and margin of a softmax row, in one pass over the logits.
#pragma once

#include <span>

#include "gelato/base/result.h"
#include "gelato/spec/draft.h"

namespace gelato::engine {

// Stats of softmax(logits) at temperature 1. Vectorised; the instruction set is chosen at run time.
// Each exp() is good to 1 ulp and sums are kept in float lanes, so entropy and probabilities are
// good to about 1e-5 relative for 128k logits. -infinity marks a token as impossible.
// Errors: kInternal if a logit is NaN or +infinity, or all are -infinity: the model is broken.
// Precondition: logits not empty.
Result<spec::RowStats> row_stats(std::span<const float> logits);

// Only the argmax (lowest index among equals): about a third of the work. Same errors.
Result<spec::Token> row_argmax(std::span<const float> logits);

}  // namespace gelato::engine
