// gelato trace WHAT: each takes its arguments and returns the exit code.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "gelato/report/terminal.h"
#include "gelato/sim/draft_trace.h"

namespace gelato::cli {

int trace_record_command(const std::vector<std::string>& arguments);
int trace_info_command(const std::vector<std::string>& arguments);
int trace_export_command(const std::vector<std::string>& arguments);
int trace_stats_command(const std::vector<std::string>& arguments);

// What `trace info` shows of a trace, as JSON and as a table.
nlohmann::json describe_trace(const sim::DraftTrace& trace);
std::string trace_table(const sim::DraftTrace& trace, const report::Terminal& terminal);

}  // namespace gelato::cli
