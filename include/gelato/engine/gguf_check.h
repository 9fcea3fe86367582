// Looks at a GGUF file before llama.cpp loads it. llama.cpp takes the numbers in a model file at
// their word and ends the process over some that cannot be; this finds those first.
#pragma once

#include <cstdint>
#include <string>

#include "gelato/base/result.h"

namespace gelato::engine {

// Limits on what a model file may claim, far above any published model. They bound what is
// allocated while it is read.
inline constexpr std::uint64_t kMaxTensors = 1U << 17U;
inline constexpr std::uint64_t kMaxMetadataKeys = 1U << 16U;
inline constexpr std::uint64_t kMaxVocabulary = 1U << 22U;
inline constexpr std::uint64_t kMaxLayers = 1024;
inline constexpr std::uint64_t kMaxWidth = 1U << 20U;          // any embedding or FFN width
inline constexpr std::uint64_t kMaxContextLength = 1U << 30U;  // tokens

// Checks that `path` is a readable regular file in GGUF format whose tensors lie inside it, whose
// tokenizer tables agree with each other and whose dimensions are possible.
// Errors, each one sentence that names the file: kNotFound, kPermissionDenied, kInvalidArgument (a
// directory, a device, not GGUF), kCorrupt (truncated or contradictory), kLimitExceeded (a limit
// above), kIo.
Result<void> check_gguf(const std::string& path);

}  // namespace gelato::engine
