// The subcommands; each takes its arguments and returns the exit code.
#pragma once

#include <string>
#include <vector>

namespace gelato::cli {

int run_command(const std::vector<std::string>& arguments);
int demo_command(const std::vector<std::string>& arguments);
int bench_command(const std::vector<std::string>& arguments);
int device_command(const std::vector<std::string>& arguments);
int edge_command(const std::vector<std::string>& arguments);
int sim_command(const std::vector<std::string>& arguments);
int trace_command(const std::vector<std::string>& arguments);
int doctor_command(const std::vector<std::string>& arguments);
int report_command(const std::vector<std::string>& arguments);

}  // namespace gelato::cli
