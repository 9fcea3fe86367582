// What a target writes by itself, to compare other texts with.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "gelato/engine/context.h"
#include "gelato/engine/model_verifier.h"

namespace gelato::device {

// What the target writes alone, and the gap between its two largest logits at each token.
struct Reference {
  std::vector<spec::Token> tokens;
  std::vector<float> gaps;
};

// Writes one token at a time, apart from the loop under test.
inline Reference target_alone(engine::Context& context, const std::vector<spec::Token>& prompt,
                              std::size_t n) {
  engine::ModelVerifier verifier(context, {}, 0);
  Reference out;
  EXPECT_TRUE(verifier.start(prompt).has_value());
  const spec::Draft none;
  while (out.tokens.size() < n && prompt.size() + out.tokens.size() <= context.capacity()) {
    const auto verdict = verifier.verify(none);
    EXPECT_TRUE(verdict.has_value());
    out.tokens.push_back(verdict->next);
    out.gaps.push_back(verifier.last_logit_gap());
    if (context.model().is_end_of_generation(verdict->next)) {
      break;
    }
  }
  return out;
}

// How often `got` leaves the target's text at a near-tie (at most once: from there on the two are
// different texts). Any other difference fails the test.
inline std::size_t count_near_ties(const Reference& want, const std::vector<spec::Token>& got,
                                   const std::string& prompt) {
  const auto differs =
      std::mismatch(want.tokens.begin(), want.tokens.end(), got.begin(), got.end());
  if (differs.first == want.tokens.end() && differs.second == got.end()) {
    return 0;
  }
  const auto at = static_cast<std::size_t>(differs.first - want.tokens.begin());
  EXPECT_LT(at, want.tokens.size()) << "longer than the target's text: " << prompt;
  EXPECT_LT(at, got.size()) << "shorter than the target's text: " << prompt;
  if (at < want.tokens.size()) {
    EXPECT_LT(want.gaps[at], engine::kLogitTolerance)
        << "token " << at << " of \"" << prompt << "\" differs, and not at a tie";
  }
  return 1;
}

}  // namespace gelato::device
