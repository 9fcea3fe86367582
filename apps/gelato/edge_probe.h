// What an edge and the way there cost without an emulated link: what a simulation must be told.
#pragma once

#include <span>
#include <vector>

#include "gelato/base/clock.h"
#include "gelato/base/log.h"
#include "gelato/base/result.h"
#include "gelato/device/grpc_transport.h"
#include "gelato/engine/language_model.h"
#include "gelato/sim/setting.h"

namespace gelato::cli {

struct EdgeProbe {
  sim::EdgeCurve curve;  // medians of passes over drafts of 0 to kLongestProbe tokens
  // What a round takes besides the pass and the wait for it: both programs, gRPC and the loopback.
  Seconds stack;
  // On the wire, framing included.
  double up_bytes = 0.0;       // of a draft, besides its token ids
  double down_bytes = 0.0;     // of a verdict
  double request_bytes = 0.0;  // of asking the target to write
  double written_bytes = 0.0;  // of each token that it then sends
};

inline constexpr std::uint32_t kLongestProbe = 32;

// Sends drafts of several lengths after `prompt` to the edge, in turns, on a session that is ended
// again. `draft` lends its vocabulary.
// Errors: those of GrpcTransport, LinkRelay and RemoteVerifier.
Result<EdgeProbe> probe_edge(const device::EdgeAddress& edge, const engine::LanguageModel& draft,
                             std::span<const spec::Token> prompt, const Clock& clock, Log& log);

}  // namespace gelato::cli
