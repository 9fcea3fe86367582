// Is the text of a speculative generation the one that the target writes alone?
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "gelato/base/result.h"
#include "gelato/engine/language_model.h"

namespace gelato::cli {

enum class Agreement {
  kIdentical,
  // They part where the target's two largest logits are closer than engine::kLogitTolerance, so
  // that the shape of the batch decides which is larger. From there on two texts are right.
  kNearTie,
  kDifferent,  // they part elsewhere: an error
};

// "identical", "near_tie", "different".
std::string_view to_string(Agreement agreement);

struct TextMatch {
  Agreement agreement = Agreement::kIdentical;
  std::size_t position = 0;  // the first token that differs
  float logit_gap = 0.0F;    // between the target's two largest logits there
};

// Compares what was written greedily after `prompt`. Where the two differ, the target computes that
// row once more, in a context of its own.
// Errors: those of engine::Context.
Result<TextMatch> match_greedy(const engine::LanguageModel& target,
                               std::span<const spec::Token> prompt,
                               std::span<const spec::Token> alone,
                               std::span<const spec::Token> other);

}  // namespace gelato::cli
