// Traces that no model wrote, for tests and for closed forms: declared as synthetic in
// DraftTrace::machine and in every result.
//
//   iid:0.8                 every drafted token is accepted with this probability; all rows look
//                           alike
//   entropy:0.35,0.6        entropies drawn from an exponential distribution of mean 0.6 nats, and
//                           a token with entropy H accepted with probability exp(-0.35 H): GELATO's
//                           phi, arXiv 2605.10124, equation 10
//
// Rows follow Zipf's law over 151 936 tokens with that entropy: their top-1 probability, margin and
// top-p set (p = 0.99995) follow. Each device, and each seed of a run, begins elsewhere in the
// text.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "gelato/base/result.h"
#include "gelato/sim/draft_trace.h"

namespace gelato::sim {

inline constexpr std::uint32_t kSyntheticPositions = 40'000;
inline constexpr std::uint32_t kSyntheticDepth = 24;

// Whether `text` names a synthetic trace, right or wrong.
bool is_synthetic(std::string_view text);

// Draws it; the same seed gives the same trace.
// Errors: kInvalidArgument, one sentence with what is accepted.
Result<DraftTrace> make_synthetic_trace(std::string_view text, std::uint64_t seed,
                                        std::uint32_t positions = kSyntheticPositions,
                                        std::uint32_t depth = kSyntheticDepth);

}  // namespace gelato::sim
