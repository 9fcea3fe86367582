// Whatever the text, parse_scenario() returns: a scenario within its limits, or one sentence.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "gelato/sim/scenario.h"

namespace {

void require(bool holds) {
  if (!holds) {
    __builtin_trap();
  }
}

// A text that asks for large traces or many cells is well-formed, but slow under a fuzzer.
constexpr std::size_t kSmall = 4096;

void check(const gelato::sim::Scenario& scenario) {
  require(!scenario.cells.empty() && scenario.cells.size() <= gelato::sim::kMaxCells);
  require(!scenario.entries.empty() && scenario.entries.size() <= gelato::sim::kMaxPolicies);
  for (const auto& cell : scenario.cells) {
    require(cell.candidates.size() == scenario.entries.size());
    require(cell.setting.trace != nullptr && cell.setting.trace->positions() > 0);
    require(cell.setting.devices >= 1 && cell.setting.edge.time(1).value() > 0.0);
    for (const auto& candidates : cell.candidates) {
      require(!candidates.empty() && candidates.size() <= gelato::sim::kMaxCandidates);
    }
  }
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > kSmall) {
    return 0;
  }
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto scenario = gelato::sim::parse_scenario(
      text, "fuzz.toml", "fuzz-none", {.profiles = "assets/profiles", .traces = "fuzz-none"},
      {.seed = 0, .shortened = size % 2 == 1});
  if (scenario) {
    check(*scenario);
  } else {
    require(scenario.error().code != gelato::ErrorCode::kInternal);
    for (const char c : scenario.error().message) {
      require(c >= 0x20);
    }
  }
  return 0;
}
