// How long a drafted token and a pass of the target take on this machine.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "gelato/base/clock.h"
#include "gelato/base/result.h"
#include "gelato/engine/context.h"

namespace gelato::cli {

struct PassTiming {
  Seconds draft_token;          // median
  std::vector<Seconds> verify;  // median of a pass over n + 1 tokens, n = 0..depth
};

// Times both models after `prompt` (not empty), one sequence, in rounds in which every length has
// its turn, so that a slow moment of the machine meets all of them. Each pass is timed with the
// row statistics that a session computes.
// Errors: those of Context and row_stats().
Result<PassTiming> time_passes(const engine::LanguageModel& target,
                               const engine::LanguageModel& draft,
                               std::span<const spec::Token> prompt, std::uint32_t depth,
                               std::uint32_t target_threads, std::uint32_t draft_threads,
                               const Clock& clock);

}  // namespace gelato::cli
