// Cost of turning a row of logits into a distribution.
#include <benchmark/benchmark.h>

#include <cmath>
#include <vector>

#include "gelato/base/rng.h"
#include "gelato/engine/sampler.h"

namespace {

// Logits whose softmax is about as peaked as a language model's: normal with deviation 3.
std::vector<float> row(std::size_t n) {
  gelato::Rng rng(1, "row");
  std::vector<float> x(n);
  for (float& v : x) {
    v = static_cast<float>(3.0 * std::sqrt(-2.0 * std::log(1.0 - rng.uniform())) *
                           std::cos(6.283185307 * rng.uniform()));
  }
  return x;
}

void sample(benchmark::State& state, const gelato::engine::SamplerParams& params) {
  const auto x = row(static_cast<std::size_t>(state.range(0)));
  gelato::engine::Sampler sampler(params);
  gelato::spec::SparseDist out;
  for (auto _ : state) {
    benchmark::DoNotOptimize(sampler.distribution(x, out));
  }
}
using gelato::engine::SamplerParams;
BENCHMARK_CAPTURE(sample, greedy, SamplerParams{})->Arg(4096)->Arg(128256);
BENCHMARK_CAPTURE(sample, plain, SamplerParams{.temperature = 0.8})->Arg(4096)->Arg(128256);
BENCHMARK_CAPTURE(sample, top_k_40, SamplerParams{.temperature = 0.8, .top_k = 40})
    ->Arg(4096)
    ->Arg(128256);
BENCHMARK_CAPTURE(sample, top_p_95, SamplerParams{.temperature = 0.8, .top_p = 0.95})
    ->Arg(4096)
    ->Arg(128256);
BENCHMARK_CAPTURE(sample, llama_defaults,
                  SamplerParams{.temperature = 0.8, .top_k = 40, .top_p = 0.95, .min_p = 0.05})
    ->Arg(4096)
    ->Arg(128256);

}  // namespace
