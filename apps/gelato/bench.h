// The benchmarks of `gelato bench`; each takes its arguments and returns the exit code.
#pragma once

#include <string>
#include <vector>

namespace gelato::cli {

int bench_edge_command(const std::vector<std::string>& arguments);
int bench_edge_devices_command(const std::vector<std::string>& arguments);
int bench_link_command(const std::vector<std::string>& arguments);
int bench_local_command(const std::vector<std::string>& arguments);

}  // namespace gelato::cli
