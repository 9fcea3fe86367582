// Expected failures as values. A function that can fail for a reason outside this program returns
// Result<T>; nothing in the library throws, prints or exits for such a reason.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace gelato {

// What kind of failure it was, for a caller that has to decide (retry? wrong usage? give up?).
enum class ErrorCode {
  kInvalidArgument,   // the caller's request can never work
  kNotFound,          // a named thing does not exist
  kPermissionDenied,  // it exists, but we may not
  kCorrupt,           // a file or message breaks its own format
  kUnsupported,       // well-formed, but not something we can do
  kLimitExceeded,     // a documented limit was reached
  kUnavailable,       // a peer or device is not there now; trying later may help
  kDeadlineExceeded,  // a wait ended without an answer
  kCancelled,         // someone asked us to stop
  kIo,                // the operating system refused a read or write
  kInternal,          // a bug of ours or of a library we call
};

// Stable snake_case name of `code`, as it appears in JSON and logs.
std::string_view to_string(ErrorCode code);

// A failure: its kind, and one sentence that says what went wrong, where, and what to do.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
};

template <class T = void>
using Result = tl::expected<T, Error>;

// `return fail(ErrorCode::kNotFound, "...")` from any function that returns a Result.
inline tl::unexpected<Error> fail(ErrorCode code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}

// Passes the error of another Result on.
inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

}  // namespace gelato
