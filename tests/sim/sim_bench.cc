// Rounds per second of one core. Goals: 3 M for static drafts, 1 M for the costliest policy.
#include <benchmark/benchmark.h>

#include <string>

#include "gelato/control/policy_kind.h"
#include "tests/sim/settings.h"

namespace gelato::sim {
namespace {

const Setting& setting() {
  static const Setting shared = [] {
    Setting s = round_setting(
        std::make_shared<DraftTrace>(make_synthetic_trace("entropy:0.35,0.6", 1).value()));
    s.rounds = 200'000;
    return s;
  }();
  return shared;
}

void rounds(benchmark::State& state, const std::string& policy) {
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(run_policy(setting(), policy));
  }
  state.counters["rounds"] = benchmark::Counter(
      static_cast<double>(setting().rounds) * static_cast<double>(state.iterations()),
      benchmark::Counter::kIsRate);
}

// Every policy at its defaults; 5 where a length is required.
const bool kRegistered = [] {
  for (const control::PolicyKind* kind : control::policy_kinds()) {
    const bool required = !kind->parameters.empty() &&
                          !(kind->parameters[0].fallback == kind->parameters[0].fallback);
    const std::string text = std::string(kind->name) + (required ? ":5" : "");
    benchmark::RegisterBenchmark(text.c_str(), rounds, text)->Unit(benchmark::kMillisecond);
  }
  return true;
}();

}  // namespace
}  // namespace gelato::sim
