// A language model small enough to be enumerated, and the two parties of a round that play it: what
// speculation writes with these can be compared with the exact distribution over whole texts.
// Test code: broken preconditions abort in debug builds.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "gelato/base/rng.h"
#include "gelato/spec/decoding.h"
#include "gelato/spec/dist_codec.h"
#include "gelato/spec/draft.h"
#include "gelato/spec/sparse_dist.h"

namespace gelato::toy {

using spec::SparseDist;
using spec::Token;

// How random rows look.
struct ToyShape {
  Token n_vocab = 3;        // 2..8
  std::size_t order = 1;    // how many tokens back the model sees: 0..3
  double sharpness = 2.0;   // log of the largest ratio between two non-zero entries; 0: flat rows
  double zero_share = 0.0;  // share of entries without any probability; one always has some
};

// A Markov chain of order n over a vocabulary of 2..8 tokens: one row per n-token context.
class ToyModel {
 public:
  static ToyModel random(const ToyShape& shape, std::uint64_t seed);
  // Row i is for the context text_index(last `order` tokens) == i; n_vocab^order rows.
  static ToyModel from_rows(Token n_vocab, std::size_t order, std::vector<SparseDist> rows);
  // Rows (1 - share) * a + share * b: for share towards 0, a draft that gets ever closer to target
  // a. Both of one vocabulary and order.
  static ToyModel mix(const ToyModel& a, const ToyModel& b, double share);

  [[nodiscard]] Token n_vocab() const { return n_vocab_; }
  [[nodiscard]] std::size_t order() const { return order_; }

  // Distribution of the token after `context`; what is missing of a short context counts as zeros.
  [[nodiscard]] const SparseDist& row(std::span<const Token> context) const;

  // P(text | prompt) for every text of `length` tokens, at its text_index().
  [[nodiscard]] std::vector<double> text_distribution(std::span<const Token> prompt,
                                                      std::size_t length) const;
  // The `length` tokens that greedy decoding writes after `prompt`.
  [[nodiscard]] std::vector<Token> greedy_text(std::span<const Token> prompt,
                                               std::size_t length) const;

 private:
  ToyModel(Token n_vocab, std::size_t order, std::vector<SparseDist> rows);
  Token n_vocab_;
  std::size_t order_;
  std::vector<SparseDist> rows_;
};

// `text` as a number in base n_vocab, first token first.
std::size_t text_index(std::span<const Token> text, Token n_vocab);

// RowStats of a row; the logits are taken to be the logarithms of the probabilities.
spec::RowStats row_stats(const SparseDist& row);

// Drafts from a ToyModel with the random stream "draft". With a codec, tokens are drawn from the
// quantised rows, as in wire mode `qrow`.
class ToyDrafter final : public spec::Drafter {
 public:
  // `model` and `codec` outlive this.
  ToyDrafter(const ToyModel& model, spec::Mode mode, std::uint64_t seed,
             const spec::DistCodec* codec = nullptr)
      : model_(model), mode_(mode), rng_(seed, "draft"), codec_(codec) {}

  Result<void> start(std::span<const Token> prompt) override;
  Result<std::optional<spec::RowStats>> draft_one(spec::Draft& draft, float min_top1) override;
  Result<void> commit(std::uint32_t accepted, Token next) override;

 private:
  const ToyModel& model_;
  spec::Mode mode_;
  Rng rng_;
  const spec::DistCodec* codec_;
  std::vector<Token> text_;  // committed, and the current draft
  std::size_t committed_ = 0;
  SparseDist proposal_;
};

// Verifies against a ToyModel by the production functions, with the random stream "verify".
class ToyVerifier final : public spec::Verifier {
 public:
  // `model` outlives this.
  ToyVerifier(const ToyModel& model, spec::Mode mode, std::uint64_t seed)
      : model_(model), mode_(mode), rng_(seed, "verify") {}

  Result<void> start(std::span<const Token> prompt) override;
  // Errors: kInvalidArgument if a token is outside the vocabulary.
  Result<spec::Verdict> verify(const spec::Draft& draft) override;

  // Prompt and committed tokens.
  [[nodiscard]] std::span<const Token> text() const { return text_; }

 private:
  const ToyModel& model_;
  spec::Mode mode_;
  Rng rng_;
  std::vector<Token> text_;
  std::vector<Token> argmax_;     // of each position of the draft, and the one after
  std::vector<SparseDist> rows_;  // the same, whole rows
};

}  // namespace gelato::toy
