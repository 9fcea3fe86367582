// What the protocol allows; docs/protocol.md lists the same. Checked before anything is allocated.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gelato::proto {

// The protocol numbers that this program speaks; the rule is at the top of edge.proto.
inline constexpr std::uint32_t kOldestProtocol = 1;
inline constexpr std::uint32_t kProtocol = 1;

// Tokens of one Draft: what a policy may ask for at most (control::kMaxDraftLength).
inline constexpr std::uint32_t kMaxDraft = 64;
// Requests of one session without an answer. The deepest useful pipeline has round trip / drafting
// time of a chunk in flight: 16 chunks of 4 tokens at 10 ms cover 640 ms.
inline constexpr std::uint32_t kMaxInFlight = 16;
// Tokens of one Burst.
inline constexpr std::uint32_t kMaxBurst = 65536;
// Largest vocabulary; token ids take at most 22 bits.
inline constexpr std::uint32_t kMaxVocabulary = 1U << 22U;
// Tokens of a text in one message; with 22 bits each they fit kMaxDeviceMessageBytes.
inline constexpr std::uint32_t kMaxTextTokens = 1U << 18U;
// Entries of a row p that goes down in DSSD (4 bytes each, and the ids).
inline constexpr std::uint32_t kMaxRowEntries = 1U << 18U;

inline constexpr std::size_t kMaxDeviceMessageBytes = std::size_t{1} << 20U;
inline constexpr std::size_t kMaxEdgeMessageBytes = std::size_t{2} << 20U;

inline constexpr std::size_t kSessionIdBytes = 16;
inline constexpr std::uint32_t kMaxEndTokens = 256;  // Model.end_of_generation
inline constexpr std::size_t kMaxTextBytes = 4096;   // of any name or sentence in a message
inline constexpr double kMaxTemperature = 100.0;     // engine::kMaxTemperature

}  // namespace gelato::proto
