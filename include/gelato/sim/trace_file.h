// Draft traces as files.
//
//   bytes  what, little endian
//   8      "geltrace"
//   4      version of the format, kTraceVersion
//   8      bytes of the content
//   8      bytes of the zstd frame (with checksum) that holds it, up to the end of the file
//
// The content, version 1; a text is its length (4 bytes) and its bytes, UTF-8:
//   texts            version, machine, target, draft, source of the prompts
//   u32 u32          vocabulary, depth
//   f64 f64          top_p, draft_token (s)
//   f64[depth + 1]   verify (s)
//   u32 u32          prompts, positions
//   per prompt       texts id and set, u32 prompt_tokens, u32 positions, u8 ended
//   i32[positions]   target_tokens
//   columns of positions x depth: f32 entropy, f32 top1, f32 margin, u16 top_p, u8 match
//
// Columns compress to about a quarter: where a drafted token matches, what follows it is what
// follows at the next position, so most of a column repeats. Floats keep every bit, because
// policies compare them with thresholds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "gelato/base/result.h"
#include "gelato/sim/draft_trace.h"

namespace gelato::sim {

inline constexpr std::uint32_t kTraceVersion = 1;

// Limits, checked before memory is taken: 700 000 positions of depth 24 fit.
inline constexpr std::size_t kMaxTraceContent = std::size_t{256} << 20U;  // bytes
inline constexpr std::uint32_t kMaxTracePrompts = 1U << 20U;
inline constexpr std::size_t kMaxTraceText = 4096;  // bytes of one text

// The file of `trace`, the same bytes for the same trace.
// Errors: kInvalidArgument (a trace that check_trace() refuses, or a text that is too long),
// kLimitExceeded, kInternal should zstd refuse.
Result<std::string> encode_trace(const DraftTrace& trace);

// The trace in the bytes of a file. `name` stands for the file in messages.
// Errors: kUnsupported (a format of another version), kCorrupt (not a trace, cut short, damaged,
// breaking a rule of check_trace()), kLimitExceeded.
Result<DraftTrace> decode_trace(std::string_view bytes, std::string_view name);

// Reads a file. Errors: those of decode_trace(); kNotFound, kPermissionDenied, kInvalidArgument
// (not a regular file), kIo.
Result<DraftTrace> read_trace(const std::filesystem::path& path);

// The rules of a trace beyond its types: depth 1..control::kMaxDraftLength, every size consistent,
// prompts one after the other with at least one position each, probabilities and times in their
// ranges, token ids inside the vocabulary, nothing after a token that is none.
// Errors: kCorrupt, naming what breaks a rule.
Result<void> check_trace(const DraftTrace& trace);

}  // namespace gelato::sim
