// What `gelato bench edge` and its processes of devices say to each other: lines of text, through
// the standard input and output of `gelato bench edge-devices`.
//
//   parent                      process
//   the plan               ->
//                          <-   kReady       the edge answers, the drafts are learned
//   kBegin                 ->
//                          <-   kUnderWay    every device has written a text
//   kEnd                   ->
//                          <-   what the devices saw since kBegin
//   kBegin again, or the end of the input, which ends the process
//
// A process that fails says why on standard error, as every command does, and ends.
#pragma once

#include <string>
#include <string_view>

#include "gelato/base/result.h"
#include "gelato/edge_load.h"

namespace gelato::cli {

inline constexpr std::string_view kReady = "ready";
inline constexpr std::string_view kBegin = "begin";
inline constexpr std::string_view kUnderWay = "under way";
inline constexpr std::string_view kEnd = "end";

// Lines are without their ends.
std::string to_line(const LoadPlan& plan);
// Errors: kInvalidArgument.
Result<LoadPlan> plan_of(const std::string& line);

// The window is not in it: each side of the wire reads the same clock.
std::string to_line(const LoadResult& result);
// Adds what `line` says to `result`: devices after those that are there, with the answers of its
// window, which begins at `from`. Errors: kCorrupt.
Result<void> add_line(const std::string& line, Seconds from, LoadResult& result);

}  // namespace gelato::cli
