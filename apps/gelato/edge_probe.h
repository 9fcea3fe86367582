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

// Bytes on the wire.
struct MessageSizes {
  double up = 0.0;    // of a request with its framing, besides the ids of drafted tokens
  double down = 0.0;  // of an answer with its framing
  // All the rest, HTTP/2 window updates and pings, which nobody waits for.
  double up_ack = 0.0;    // for each answer
  double down_ack = 0.0;  // for each request
};

struct EdgeProbe {
  sim::EdgeCurve curve;  // medians of passes over drafts of 0 to kLongestProbe tokens
  // What a round takes besides the pass and the wait for it: both programs, gRPC and the loopback.
  Seconds stack;
  MessageSizes drafts;  // drafts and verdicts
  MessageSizes writes;  // the target is asked to write, and sends token by token
};

inline constexpr std::uint32_t kLongestProbe = 32;

// Sends drafts of several lengths after `prompt` to the edge, in turns, on a session that is ended
// again. `draft` lends its vocabulary.
// Errors: those of GrpcTransport, LinkRelay and RemoteVerifier.
Result<EdgeProbe> probe_edge(const device::EdgeAddress& edge, const engine::LanguageModel& draft,
                             std::span<const spec::Token> prompt, const Clock& clock, Log& log);

}  // namespace gelato::cli
