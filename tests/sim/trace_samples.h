// Small traces for tests.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>

#include "gelato/base/rng.h"
#include "gelato/sim/draft_trace.h"

namespace gelato::testing {

// A trace of `prompts` prompts with 5, 6, 7, ... positions that keeps every rule, with all the bits
// of its floats in use.
inline sim::DraftTrace sample_trace(std::uint32_t prompts = 3, std::uint32_t depth = 4) {
  sim::DraftTrace trace{.version = "0.1.0",
                        .machine = "a test",
                        .target = "target.gguf 00",
                        .draft = "draft.gguf 11",
                        .source = "prompts.jsonl 22",
                        .vocabulary = 100,
                        .depth = depth,
                        .top_p = 0.99995,
                        .draft_token = Seconds(0.001),
                        .verify = {},
                        .prompts = {},
                        .target_tokens = {},
                        .tokens = {}};
  for (std::uint32_t n = 0; n <= depth; ++n) {
    trace.verify.emplace_back(0.01 + 0.0001 * n);
  }
  Rng rng(7, std::string_view("trace"));
  for (std::uint32_t p = 0; p < prompts; ++p) {
    const std::uint32_t positions = 5 + p;
    trace.prompts.push_back({.id = "prompt-" + std::to_string(p),
                             .set = p % 2 == 0 ? "stories" : "maths",
                             .prompt_tokens = 10 + p,
                             .first = static_cast<std::uint32_t>(trace.positions()),
                             .positions = positions,
                             .ended = p % 2 == 1});
    for (std::uint32_t i = 0; i < positions; ++i) {
      trace.target_tokens.push_back(static_cast<spec::Token>(rng.uniform() * 100));
      for (std::uint32_t j = 0; j < depth; ++j) {
        const bool inside = i + j < positions;
        trace.tokens.push_back(
            {.entropy = static_cast<float>(-std::log(1.0 - rng.uniform())),
             .top1 = static_cast<float>(rng.uniform()),
             .margin = static_cast<float>(rng.uniform()),
             .top_p = static_cast<std::uint16_t>(1 + rng.uniform() * 65000),
             .match = static_cast<std::uint8_t>(inside && rng.uniform() < 0.7 ? 1 : 0)});
      }
    }
  }
  return trace;
}

}  // namespace gelato::testing
