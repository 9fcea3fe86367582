// The result of a simulated scenario, for people and for other programs.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "gelato/report/terminal.h"
#include "gelato/sim/scenario.h"
#include "gelato/sim/sweep.h"

namespace gelato::cli {

// The keys `rows` and `summary` of docs/json.md, and what the scenario was.
nlohmann::json sim_result(const sim::Scenario& scenario, const std::vector<sim::Row>& rows);

// One line per row, and the summary.
std::string sim_table(const sim::Scenario& scenario, const std::vector<sim::Row>& rows,
                      const report::Terminal& terminal);

}  // namespace gelato::cli
