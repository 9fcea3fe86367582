#include "gelato/spec/verify.h"

#include <algorithm>
#include <cassert>

namespace gelato::spec {
namespace {

// Calls visit(token, p - q) for the tokens with p > q, in ascending token order, until it returns
// false. A merge: both rows are sorted by token.
template <class Visit>
void for_each_excess(const SparseDist& p, const SparseDist& q, Visit visit) {
  auto at = q.entries().begin();
  const auto end = q.entries().end();
  for (const TokenProb& e : p.entries()) {
    while (at != end && at->token < e.token) {
      ++at;
    }
    const double excess = e.prob - (at != end && at->token == e.token ? at->prob : 0.0);
    if (excess > 0.0 && !visit(e.token, excess)) {
      return;
    }
  }
}

}  // namespace

Verdict verify_greedy(std::span<const Token> draft, std::span<const Token> target) {
  assert(target.size() == draft.size() + 1);
  const auto differs = std::mismatch(draft.begin(), draft.end(), target.begin());
  return {.accepted = static_cast<std::uint32_t>(differs.first - draft.begin()),
          .next = *differs.second};
}

Verdict verify_sampling(std::span<const Token> draft, std::span<const SparseDist> q,
                        std::span<const SparseDist> p, Rng& rng) {
  assert(p.size() == draft.size() + 1);
  class InMemory final : public TargetRows {
   public:
    explicit InMemory(std::span<const SparseDist> rows) : rows_(rows) {}
    Result<const SparseDist*> row(std::size_t i) override { return &rows_[i]; }

   private:
    std::span<const SparseDist> rows_;
  } rows(p);
  return *verify_sampling(draft, q, rows, rng);  // rows in memory cannot fail
}

Result<Verdict> verify_sampling(std::span<const Token> draft, std::span<const SparseDist> q,
                                TargetRows& p, Rng& rng) {
  assert(q.size() == draft.size());
  for (std::uint32_t i = 0; i < draft.size(); ++i) {
    const auto row = p.row(i);
    if (!row) {
      return fail(row.error());
    }
    const Token x = draft[i];
    if (!accept_token((*row)->prob(x), q[i].prob(x), rng.uniform())) {
      return Verdict{.accepted = i, .next = sample_residual(**row, q[i], rng.uniform())};
    }
  }
  const auto row = p.row(draft.size());
  if (!row) {
    return fail(row.error());
  }
  return Verdict{.accepted = static_cast<std::uint32_t>(draft.size()),
                 .next = (*row)->sample(rng.uniform())};
}

Token sample_residual(const SparseDist& p, const SparseDist& q, double u) {
  double total = 0.0;
  for_each_excess(p, q, [&](Token, double excess) {
    total += excess;
    return true;
  });
  if (total <= 0.0) {
    return p.sample(u);
  }
  double left = u * total;
  Token chosen = 0;
  for_each_excess(p, q, [&](Token token, double excess) {
    chosen = token;
    left -= excess;
    return left >= 0.0;
  });
  return chosen;
}

}  // namespace gelato::spec
