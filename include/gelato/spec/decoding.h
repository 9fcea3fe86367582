// The two parties of a round as interfaces: real models (engine), an edge server over the network,
// and the toy models of the tests all look like this to the round loop.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "gelato/base/result.h"
#include "gelato/spec/draft.h"

namespace gelato::spec {

// Proposes tokens after the committed text. Keeps its own cache of that text; one generation at a
// time, one thread.
class Drafter {
 public:
  virtual ~Drafter() = default;

  // Begins a generation after `prompt` (not empty), forgetting the previous one.
  virtual Result<void> start(std::span<const Token> prompt) = 0;

  // Drafts one more token after the committed text and the draft so far, appending it (and in
  // sampling mode its row) to `draft`. Returns the stats of the row the token came from.
  // If the row's top-1 probability is below `min_top1`, nothing is appended and nullopt returned;
  // only the row decides, so verification stays exact. After nullopt, commit() comes next.
  virtual Result<std::optional<RowStats>> draft_one(Draft& draft, float min_top1) = 0;

  // The round is over: `accepted` tokens of the draft and then `next` are committed; the rest of
  // the draft is forgotten.
  virtual Result<void> commit(std::uint32_t accepted, Token next) = 0;
};

// Holds the target model, or reaches it.
class Verifier {
 public:
  virtual ~Verifier() = default;

  // Begins a generation after `prompt` (not empty), forgetting the previous one.
  virtual Result<void> start(std::span<const Token> prompt) = 0;

  // Verifies `draft` (may be empty: then the target simply writes one token) and commits the
  // verdict: accepted tokens and then `next`.
  virtual Result<Verdict> verify(const Draft& draft) = 0;
};

}  // namespace gelato::spec
