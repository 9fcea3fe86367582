// A result on a terminal.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "gelato/report/terminal.h"

namespace gelato::report {

// Title, where joules come from, and a table: for a sweep one line per series, with a sparkline of
// its rate (and joules per token) over what was swept, their first and last value; otherwise the
// rows themselves.
std::string render_overview(const nlohmann::json& result, const Terminal& terminal);

}  // namespace gelato::report
