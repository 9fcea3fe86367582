// How the result of `gelato bench link` is shown.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "gelato/link_bench.h"
#include "gelato/report/terminal.h"

namespace gelato::cli {

// The keys of docs/bench-link.md.
nlohmann::json to_json(const LinkBenchFlags& flags, const LinkBenchOutcome& outcome);
// A line per policy, live beside simulated, and what was emulated.
std::string render(const LinkBenchFlags& flags, const LinkBenchOutcome& outcome,
                   const report::Terminal& terminal);

}  // namespace gelato::cli
