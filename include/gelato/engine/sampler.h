// From logits to the distribution a token is drawn from. Draft and target apply the same
// transformation, which is what makes speculative sampling exact with respect to it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "gelato/base/result.h"
#include "gelato/spec/sparse_dist.h"

namespace gelato::engine {

// Applied in llama.cpp's default order: top-k, top-p, min-p, temperature. So top-p and min-p look
// at probabilities at temperature 1, renormalised over what is left.
struct SamplerParams {
  double temperature = 0.0;  // 0: greedy, the rest has no effect; at most kMaxTemperature
  std::uint32_t top_k = 0;   // 0: off
  double top_p = 1.0;        // (0, 1]; 1: off
  double min_p = 0.0;        // [0, 1]; relative to the most probable token; 0: off

  [[nodiscard]] bool greedy() const { return temperature <= 0.0; }
  friend bool operator==(const SamplerParams&, const SamplerParams&) = default;
};

inline constexpr double kMaxTemperature = 100.0;

// Errors: kInvalidArgument, naming the parameter and its range.
Result<void> check(const SamplerParams& params);

// Reuses its storage: no allocation once it has seen the largest row. One thread at a time.
class Sampler {
 public:
  // Precondition: check(params) succeeded.
  explicit Sampler(const SamplerParams& params) : params_(params) {}

  // The distribution over token ids that `logits` stand for. Among equal logits at a boundary of
  // top-k or top-p the lower id stays.
  // Errors: kInternal if the row is not a probability row (see row_stats()).
  Result<void> distribution(std::span<const float> logits, spec::SparseDist& out);

  [[nodiscard]] const SamplerParams& params() const { return params_; }
  // Another distribution from now on, with the same storage. Precondition: as for construction.
  void set_params(const SamplerParams& params) { params_ = params; }

 private:
  struct Candidate {
    float logit = 0.0F;
    spec::Token token = 0;
  };
  void keep_top_k();
  void keep_top_p(float max);
  void keep_min_p(float max);

  SamplerParams params_;
  std::vector<Candidate> candidates_;
};

}  // namespace gelato::engine
