// What one round carries from the drafting side to the verifying side, and back.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "gelato/spec/sparse_dist.h"

namespace gelato::spec {

// Shape of one softmax row at temperature 1 over the whole vocabulary, from one pass over the
// logits.
struct RowStats {
  Token top1 = 0;           // the argmax; the lowest id among equals
  float top1_logit = 0.0F;  // its logit
  float top1_prob = 0.0F;   // its probability
  float margin = 0.0F;      // top-1 minus top-2 probability
  float logit_gap = 0.0F;   // top-1 minus top-2 logit: how near to a tie the argmax is
  float entropy = 0.0F;     // nats
};

// How the draft tokens were chosen, and so how they are verified.
enum class Mode : std::uint8_t {
  kGreedy,    // argmax on both sides; no rows are needed
  kSampling,  // token i was drawn from row i; verify() needs the rows
};

// The drafted tokens of one round, gamma = size(), and in sampling mode the row q_i that token i
// was drawn from. clear() keeps all storage: a reused Draft does not allocate.
class Draft {
 public:
  void clear() { size_ = 0; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }

  // Appends a token; returns its row, which has the contents of an earlier use and is to be
  // assigned (sampling) or ignored (greedy). The reference is good until the next push().
  SparseDist& push(Token token);

  // Removes the tokens from index n on.
  void truncate(std::size_t n) { size_ = n < size_ ? n : size_; }

  [[nodiscard]] std::span<const Token> tokens() const { return {tokens_.data(), size_}; }
  [[nodiscard]] std::span<const SparseDist> rows() const { return {rows_.data(), size_}; }

 private:
  std::size_t size_ = 0;
  std::vector<Token> tokens_;
  std::vector<SparseDist> rows_;
};

// The verifying side's answer: the first `accepted` draft tokens are committed, then `next`, which
// is the correction when accepted < gamma and the bonus token when accepted == gamma. So a round
// commits accepted + 1 tokens.
struct Verdict {
  std::uint32_t accepted = 0;
  Token next = 0;
  friend bool operator==(const Verdict&, const Verdict&) = default;
};

}  // namespace gelato::spec
