#include "gelato/engine/sampler.h"

#include <algorithm>
#include <cmath>

#include "gelato/engine/row_stats.h"

namespace gelato::engine {

Result<void> check(const SamplerParams& p) {
  if (!(p.temperature >= 0.0 && p.temperature <= kMaxTemperature)) {
    return fail(ErrorCode::kInvalidArgument, "the temperature must be between 0 and 100");
  }
  if (!(p.top_p > 0.0 && p.top_p <= 1.0)) {
    return fail(ErrorCode::kInvalidArgument, "top-p must be above 0 and at most 1");
  }
  if (!(p.min_p >= 0.0 && p.min_p <= 1.0)) {
    return fail(ErrorCode::kInvalidArgument, "min-p must be between 0 and 1");
  }
  return {};
}

namespace {

// More probable first; the lower id first among equals, so that every cut is deterministic.
constexpr auto kMoreProbable = [](const auto& a, const auto& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
};

// log p(candidate) / p(most probable): never positive.
double below_max(const auto& candidate, float max) {
  return static_cast<double>(candidate.logit) - static_cast<double>(max);
}

}  // namespace

Result<void> Sampler::distribution(std::span<const float> logits, spec::SparseDist& out) {
  const auto top1 = row_argmax(logits);
  if (!top1) {
    return fail(top1.error());
  }
  if (params_.greedy()) {
    out.assign_one_hot(*top1);
    return {};
  }
  const float max = logits[static_cast<std::size_t>(*top1)];
  candidates_.clear();
  candidates_.reserve(logits.size());
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (std::isfinite(logits[i])) {
      candidates_.push_back({logits[i], static_cast<spec::Token>(i)});
    }
  }
  keep_top_k();
  keep_top_p(max);
  keep_min_p(max);

  if (params_.top_k > 0 || params_.top_p < 1.0) {  // the cuts have changed the order
    std::sort(candidates_.begin(), candidates_.end(),
              [](const Candidate& a, const Candidate& b) { return a.token < b.token; });
  }
  auto& entries = out.storage();
  entries.clear();
  // With top-k the longest row is known, so that no later one has to grow.
  entries.reserve(params_.top_k > 0 ? std::min<std::size_t>(params_.top_k, logits.size())
                                    : candidates_.size());
  for (const Candidate& c : candidates_) {
    const double weight = std::exp(below_max(c, max) / params_.temperature);
    if (weight > 0.0) {
      entries.push_back({c.token, weight});
    }
  }
  out.normalise();
  return {};
}

void Sampler::keep_top_k() {
  if (params_.top_k == 0 || params_.top_k >= candidates_.size()) {
    return;
  }
  const auto end = candidates_.begin() + params_.top_k;
  std::nth_element(candidates_.begin(), end, candidates_.end(), kMoreProbable);
  candidates_.erase(end, candidates_.end());
}

void Sampler::keep_top_p(float max) {
  if (params_.top_p >= 1.0) {
    return;
  }
  double total = 0.0;
  for (const Candidate& c : candidates_) {
    total += std::exp(below_max(c, max));
  }
  // Sorts only as deep as the mass reaches: the first 64 tokens usually hold it, else eight times
  // as many, and so on.
  const double wanted = params_.top_p * total;
  double mass = 0.0;
  std::size_t sorted = 0;
  std::size_t step = 64;
  while (sorted < candidates_.size()) {
    const std::size_t upto = std::min(sorted + step, candidates_.size());
    std::partial_sort(candidates_.begin() + static_cast<std::ptrdiff_t>(sorted),
                      candidates_.begin() + static_cast<std::ptrdiff_t>(upto), candidates_.end(),
                      kMoreProbable);
    for (; sorted < upto; ++sorted) {
      mass += std::exp(below_max(candidates_[sorted], max));
      if (mass >= wanted) {
        candidates_.resize(sorted + 1);
        return;
      }
    }
    step *= 8;
  }
}

void Sampler::keep_min_p(float max) {
  if (params_.min_p <= 0.0) {
    return;
  }
  const double least = static_cast<double>(max) + std::log(params_.min_p);
  std::erase_if(candidates_,
                [least](const Candidate& c) { return static_cast<double>(c.logit) < least; });
}

}  // namespace gelato::engine
