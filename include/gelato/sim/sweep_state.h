// Finished rows as text, so that an interrupted sweep can go on. One line per row after a first
// line that says which scenario, seed and program they are from; numbers keep every bit.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "gelato/base/result.h"
#include "gelato/sim/sweep.h"

namespace gelato::sim {

inline constexpr std::size_t kMaxStateBytes = std::size_t{256} << 20U;

// The first line. `program`: what produced the rows, its version.
std::string state_head(const Scenario& scenario, std::string_view program);
// One row, with its line end.
std::string state_line(const Row& row);

// The rows in `text`. A last line that was cut off is left out.
// Errors: kInvalidArgument: the state of another scenario, seed or program; kCorrupt, naming the
// line; kLimitExceeded.
Result<std::vector<Row>> parse_state(std::string_view text, const Scenario& scenario,
                                     std::string_view program);

}  // namespace gelato::sim
