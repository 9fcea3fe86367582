// The typed errors of the protocol: what went wrong with one call, for a program and for a reader.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

#include "gelato/base/result.h"
#include "gelato/base/units.h"

namespace gelato::proto {

// gelato.v1.ErrorKind, number for number; what each means is said there.
enum class ErrorKind : std::uint8_t {
  kUnspecified = 0,
  kVersion = 1,
  kModel = 2,
  kVocabulary = 3,
  kMode = 4,
  kMalformed = 5,
  kTokenRange = 6,
  kRow = 7,
  kPosition = 8,
  kTooLong = 9,
  kTooMany = 10,
  kContextFull = 11,
  kUnexpected = 12,
  kUnknownSession = 13,
  kBusy = 14,
  kDraining = 15,
  kUnauthenticated = 16,
  kIdle = 17,
  kDeadline = 18,
  kReplaced = 19,
  kCancelled = 20,
  kInternal = 21,
};
inline constexpr ErrorKind kLastErrorKind = ErrorKind::kInternal;

// Stable snake_case name, as it appears in logs and metrics: "version", "token_range", ...
std::string_view to_string(ErrorKind kind);

struct WireError {
  ErrorKind kind = ErrorKind::kInternal;
  std::string message;    // one sentence: what, where, what to do
  Seconds retry_after{};  // 0: trying again will not help
};

// What crosses the wire fails with a WireError.
template <class T = void>
using WireResult = tl::expected<T, WireError>;

inline tl::unexpected<WireError> refuse(ErrorKind kind, std::string message,
                                        Seconds retry_after = {}) {
  return tl::unexpected<WireError>(WireError{kind, std::move(message), retry_after});
}
inline tl::unexpected<WireError> refuse(WireError error) {
  return tl::unexpected<WireError>(std::move(error));
}

// The same failure in the terms of the rest of the program.
Error to_error(const WireError& error);

// The gRPC status code (its canonical number) that a call which failed so ends with.
int status_code(ErrorKind kind);
// What a status that carries no Error of ours stands for (a proxy's, or gRPC's own): 14 UNAVAILABLE
// is kBusy with a retry after a second, and so on.
WireError from_status(int code, std::string_view message);

// The status details of a failed call: gelato.v1.Error, serialised; and back. Bytes that are no
// such message, or hold an unknown kind, give kUnspecified with the text that could be read.
std::string encode_error(const WireError& error);
WireError decode_error(std::string_view bytes);

}  // namespace gelato::proto
