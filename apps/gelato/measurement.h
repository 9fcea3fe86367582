// What a generation cost, and the rates that follow from it.
#pragma once

#include <cstdint>
#include <optional>

#include "gelato/base/units.h"
#include "gelato/device/round_loop.h"

namespace gelato::cli {

// Of one generation, or of several added up.
struct Measurement {
  std::uint64_t tokens = 0;      // committed
  std::uint64_t unverified = 0;  // of them, the draft model's own
  std::uint64_t rounds = 0;      // answers of the target
  std::uint64_t drafted = 0;
  std::uint64_t accepted = 0;
  Seconds total{};      // from the prompt's tokens to the end of the text
  Seconds prefill{};    // of it, reading the prompt
  Seconds drafting{};   // of it
  Seconds verifying{};  // of it
  // Of the total, inside llama.cpp's decode; nothing when that is not known.
  std::optional<Seconds> decode = std::nullopt;

  Measurement& operator+=(const Measurement& other);

  // Each is NaN when there is nothing to divide by, or nothing is known.
  [[nodiscard]] double tokens_per_s() const;         // tokens / total
  [[nodiscard]] double decode_tokens_per_s() const;  // tokens / (total - prefill)
  [[nodiscard]] double acceptance_rate() const;      // accepted / drafted
  [[nodiscard]] double mean_committed() const;       // (tokens - unverified) / rounds
  [[nodiscard]] double passes_per_token() const;     // rounds / tokens
  [[nodiscard]] double outside_decode() const;       // 1 - decode / total
};

// `decode`: time inside llama.cpp's decode.
Measurement measurement_of(const device::GenerationStats& stats, Seconds decode);

}  // namespace gelato::cli
