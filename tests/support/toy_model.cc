#include "tests/support/toy_model.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

#include "gelato/spec/verify.h"

namespace gelato::toy {
namespace {

std::size_t power(Token base, std::size_t exponent) {
  std::size_t result = 1;
  for (std::size_t i = 0; i < exponent; ++i) {
    result *= static_cast<std::size_t>(base);
  }
  return result;
}

SparseDist random_row(const ToyShape& shape, Rng& rng) {
  SparseDist row;
  const auto always = static_cast<Token>(rng.below(static_cast<std::uint64_t>(shape.n_vocab)));
  for (Token t = 0; t < shape.n_vocab; ++t) {
    const double weight = std::exp(shape.sharpness * rng.uniform());
    if (rng.uniform() >= shape.zero_share || t == always) {
      row.storage().push_back({t, weight});
    }
  }
  row.normalise();
  return row;
}

SparseDist mixed_row(const SparseDist& a, const SparseDist& b, double share, Token n_vocab) {
  SparseDist row;
  for (Token t = 0; t < n_vocab; ++t) {
    const double prob = (1.0 - share) * a.prob(t) + share * b.prob(t);
    if (prob > 0.0) {
      row.storage().push_back({t, prob});
    }
  }
  row.normalise();
  return row;
}

}  // namespace

ToyModel::ToyModel(Token n_vocab, std::size_t order, std::vector<SparseDist> rows)
    : n_vocab_(n_vocab), order_(order), rows_(std::move(rows)) {
  assert(n_vocab >= 2 && n_vocab <= 8 && order <= 3 && rows_.size() == power(n_vocab, order));
}

ToyModel ToyModel::random(const ToyShape& shape, std::uint64_t seed) {
  Rng rng(seed, "toy model");
  std::vector<SparseDist> rows(power(shape.n_vocab, shape.order));
  std::generate(rows.begin(), rows.end(), [&] { return random_row(shape, rng); });
  return {shape.n_vocab, shape.order, std::move(rows)};
}

ToyModel ToyModel::from_rows(Token n_vocab, std::size_t order, std::vector<SparseDist> rows) {
  return {n_vocab, order, std::move(rows)};
}

ToyModel ToyModel::mix(const ToyModel& a, const ToyModel& b, double share) {
  assert(a.n_vocab_ == b.n_vocab_ && a.order_ == b.order_);
  std::vector<SparseDist> rows(a.rows_.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i] = mixed_row(a.rows_[i], b.rows_[i], share, a.n_vocab_);
  }
  return {a.n_vocab_, a.order_, std::move(rows)};
}

const SparseDist& ToyModel::row(std::span<const Token> context) const {
  return rows_[text_index(context.last(std::min(order_, context.size())), n_vocab_)];
}

std::vector<double> ToyModel::text_distribution(std::span<const Token> prompt,
                                                std::size_t length) const {
  std::vector<double> probs{1.0};
  std::vector<Token> text(prompt.begin(), prompt.end());
  for (std::size_t n = 0; n < length; ++n) {
    std::vector<double> longer;
    for (std::size_t index = 0; index < probs.size(); ++index) {
      text.resize(prompt.size() + n);
      std::size_t digits = index;
      for (std::size_t i = n; i > 0; --i, digits /= static_cast<std::size_t>(n_vocab_)) {
        text[prompt.size() + i - 1] =
            static_cast<Token>(digits % static_cast<std::size_t>(n_vocab_));
      }
      for (Token t = 0; t < n_vocab_; ++t) {
        longer.push_back(probs[index] * row(text).prob(t));
      }
    }
    probs = std::move(longer);
  }
  return probs;
}

std::vector<Token> ToyModel::greedy_text(std::span<const Token> prompt, std::size_t length) const {
  std::vector<Token> text(prompt.begin(), prompt.end());
  for (std::size_t i = 0; i < length; ++i) {
    text.push_back(row(text).argmax());
  }
  return {text.begin() + static_cast<std::ptrdiff_t>(prompt.size()), text.end()};
}

std::size_t text_index(std::span<const Token> text, Token n_vocab) {
  std::size_t index = 0;
  for (const Token t : text) {
    index = index * static_cast<std::size_t>(n_vocab) + static_cast<std::size_t>(t);
  }
  return index;
}

spec::RowStats row_stats(const SparseDist& row) {
  const Token top1 = row.argmax();
  double second = 0.0;
  double entropy = 0.0;
  for (const spec::TokenProb& e : row.entries()) {
    entropy -= e.prob * std::log(e.prob);
    if (e.token != top1) {
      second = std::max(second, e.prob);
    }
  }
  const double first = row.prob(top1);
  return {.top1 = top1,
          .top1_logit = static_cast<float>(std::log(first)),
          .top1_prob = static_cast<float>(first),
          .margin = static_cast<float>(first - second),
          .logit_gap = static_cast<float>(std::log(first) - std::log(second)),
          .entropy = static_cast<float>(entropy)};
}

Result<void> ToyDrafter::start(std::span<const Token> prompt) {
  text_.assign(prompt.begin(), prompt.end());
  committed_ = text_.size();
  return {};
}

Result<std::optional<spec::RowStats>> ToyDrafter::draft_one(spec::Draft& draft, float min_top1) {
  // The caller may have shortened the draft, so it alone says what has been drafted.
  text_.resize(committed_);
  text_.insert(text_.end(), draft.tokens().begin(), draft.tokens().end());
  const SparseDist& row = model_.row(text_);
  const spec::RowStats stats = row_stats(row);
  if (stats.top1_prob < min_top1) {
    return std::nullopt;
  }
  if (mode_ == spec::Mode::kGreedy) {
    draft.push(stats.top1);
  } else {
    proposal_ = row;
    if (codec_ != nullptr) {
      codec_->quantise(proposal_);
    }
    draft.push(proposal_.sample(rng_.uniform())) = proposal_;
  }
  text_.push_back(draft.tokens().back());
  return stats;
}

Result<void> ToyDrafter::commit(std::uint32_t accepted, Token next) {
  if (committed_ + accepted > text_.size()) {
    return fail(ErrorCode::kInvalidArgument, "more tokens were accepted than had been drafted");
  }
  text_.resize(committed_ + accepted);
  text_.push_back(next);
  committed_ = text_.size();
  return {};
}

Result<void> ToyVerifier::start(std::span<const Token> prompt) {
  text_.assign(prompt.begin(), prompt.end());
  return {};
}

Result<spec::Verdict> ToyVerifier::verify(const spec::Draft& draft) {
  const auto outside = [&](Token t) { return t < 0 || t >= model_.n_vocab(); };
  if (std::any_of(draft.tokens().begin(), draft.tokens().end(), outside)) {
    return fail(ErrorCode::kInvalidArgument, "a drafted token is outside the vocabulary");
  }
  const std::size_t committed = text_.size();
  argmax_.clear();
  rows_.resize(std::max(rows_.size(), draft.size() + 1));
  for (std::size_t i = 0; i <= draft.size(); ++i) {
    rows_[i] = model_.row(text_);
    argmax_.push_back(rows_[i].argmax());
    if (i < draft.size()) {
      text_.push_back(draft.tokens()[i]);
    }
  }
  const auto rows = std::span(rows_).first(draft.size() + 1);
  const spec::Verdict verdict =
      mode_ == spec::Mode::kGreedy
          ? spec::verify_greedy(draft.tokens(), argmax_)
          : spec::verify_sampling(draft.tokens(), draft.rows(), rows, rng_);
  text_.resize(committed + verdict.accepted);
  text_.push_back(verdict.next);
  return verdict;
}

}  // namespace gelato::toy
