// What a whole sweep says: gains over the best baseline, budgets, distance to the bound.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <vector>

#include "gelato/sim/scenario.h"
#include "gelato/sim/sweep.h"

namespace gelato::cli {

// Spent over allowed, minus one; negative when something was left. Nothing without a budget.
std::optional<double> budget_error(const sim::Setting& setting, const sim::Row& row);

// The key `summary` of docs/json.md.
nlohmann::json sim_summary(const sim::Scenario& scenario, const std::vector<sim::Row>& rows);

}  // namespace gelato::cli
