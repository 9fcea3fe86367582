// Speculative sampling (Leviathan et al., arXiv 2211.17192, algorithm 1; Chen et al., arXiv
// 2302.01318): decides how many draft tokens stand and what comes after them, such that the
// committed text is distributed exactly as the target's own.
//
// Exactness needs two things of the caller: (a) the uniforms are fresh, independent of everything
// the draft and its length were chosen from; (b) whether token i is in the draft was decided
// without looking at token i (its row may be looked at).
#pragma once

#include <span>

#include "gelato/base/result.h"
#include "gelato/base/rng.h"
#include "gelato/spec/draft.h"

namespace gelato::spec {

// Greedy: token i stands iff it and all before it equal the target's argmax.
// `target` holds the argmax at each of the gamma + 1 positions. Precondition: target.size() ==
// draft.size() + 1.
Verdict verify_greedy(std::span<const Token> draft, std::span<const Token> target);

// Sampling: token x_i, drawn from q_i, stands with probability min(1, p_i(x_i) / q_i(x_i)); on the
// first rejection the correction is drawn from norm(max(p_i - q_i, 0)); after gamma acceptances the
// bonus is drawn from p_gamma. Draws one uniform per tested token and one for `next`.
// Preconditions: q.size() == draft.size(), p.size() == draft.size() + 1, every row not empty,
// q_i(x_i) > 0.
Verdict verify_sampling(std::span<const Token> draft, std::span<const SparseDist> q,
                        std::span<const SparseDist> p, Rng& rng);

// The target's rows, each computed when it is asked for: verification never looks behind the first
// rejection, and turning logits into a distribution is most of its cost.
class TargetRows {
 public:
  virtual ~TargetRows() = default;
  // Row i, valid until the next call. Asked for at most once each, in ascending order.
  virtual Result<const SparseDist*> row(std::size_t i) = 0;
};

// The same decision from the same uniforms. Errors: those of `p`.
Result<Verdict> verify_sampling(std::span<const Token> draft, std::span<const SparseDist> q,
                                TargetRows& p, Rng& rng);

// The two halves of verify_sampling(), for a wire mode that runs them on different machines (DSSD,
// arXiv 2507.12000).
// The acceptance test min(1, p/q) > u. q > 0.
inline bool accept_token(double p, double q, double u) { return u * q < p; }
// A draw from norm(max(p - q, 0)). If p == q up to rounding, so that nothing is left, a draw from
// p: a rejection then had probability zero up to rounding.
Token sample_residual(const SparseDist& p, const SparseDist& q, double u);

}  // namespace gelato::spec
