// The content of a trace file: what its zstd frame holds.
#pragma once

#include <string>
#include <string_view>

#include "gelato/base/result.h"
#include "gelato/sim/draft_trace.h"

namespace gelato::sim {

// Layout: gelato/sim/trace_file.h. Precondition: check_trace(trace) succeeded.
std::string encode_content(const DraftTrace& trace);

// Sizes are checked before memory is taken; what the numbers say is not: see check_trace().
// Errors: kCorrupt, kLimitExceeded.
Result<DraftTrace> decode_content(std::string_view content);

}  // namespace gelato::sim
