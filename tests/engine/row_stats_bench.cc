// Cost of the stats of one row. Goal: at most 60 us for a vocabulary of 128 256 on one core.
#include <benchmark/benchmark.h>

#include <vector>

#include "gelato/base/rng.h"
#include "gelato/engine/row_stats.h"

namespace {

std::vector<float> row(std::size_t n) {
  gelato::Rng rng(1, "row");
  std::vector<float> x(n);
  for (float& v : x) {
    v = static_cast<float>(20.0 * rng.uniform());
  }
  return x;
}

void stats(benchmark::State& state) {
  const auto x = row(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    benchmark::DoNotOptimize(gelato::engine::row_stats(x));
  }
}
BENCHMARK(stats)->Arg(4096)->Arg(32000)->Arg(128256);

void argmax(benchmark::State& state) {
  const auto x = row(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    benchmark::DoNotOptimize(gelato::engine::row_argmax(x));
  }
}
BENCHMARK(argmax)->Arg(4096)->Arg(128256);

}  // namespace
