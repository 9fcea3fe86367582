#include "gelato/proto/error.h"

#include <gelato/v1/edge.pb.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "gelato/base/utf8.h"
#include "gelato/proto/limits.h"

namespace gelato::proto {
namespace {

// Canonical gRPC status numbers (google.rpc.Code).
enum Status : int {
  kStatusCancelled = 1,
  kStatusInvalidArgument = 3,
  kStatusDeadlineExceeded = 4,
  kStatusNotFound = 5,
  kStatusPermissionDenied = 7,
  kStatusResourceExhausted = 8,
  kStatusFailedPrecondition = 9,
  kStatusAborted = 10,
  kStatusOutOfRange = 11,
  kStatusUnimplemented = 12,
  kStatusInternal = 13,
  kStatusUnavailable = 14,
  kStatusUnauthenticated = 16,
};

struct Row {
  std::string_view name;
  ErrorCode code;
  int status;
};

// In the order of ErrorKind.
constexpr std::array kRows = {
    Row{"unspecified", ErrorCode::kInternal, kStatusInternal},
    Row{"version", ErrorCode::kUnsupported, kStatusFailedPrecondition},
    Row{"model", ErrorCode::kUnsupported, kStatusFailedPrecondition},
    Row{"vocabulary", ErrorCode::kUnsupported, kStatusFailedPrecondition},
    Row{"mode", ErrorCode::kInvalidArgument, kStatusInvalidArgument},
    Row{"malformed", ErrorCode::kCorrupt, kStatusInvalidArgument},
    Row{"token_range", ErrorCode::kInvalidArgument, kStatusInvalidArgument},
    Row{"row", ErrorCode::kCorrupt, kStatusInvalidArgument},
    Row{"position", ErrorCode::kInvalidArgument, kStatusInvalidArgument},
    Row{"too_long", ErrorCode::kLimitExceeded, kStatusInvalidArgument},
    Row{"too_many", ErrorCode::kLimitExceeded, kStatusResourceExhausted},
    Row{"context_full", ErrorCode::kLimitExceeded, kStatusOutOfRange},
    Row{"unexpected", ErrorCode::kInvalidArgument, kStatusFailedPrecondition},
    Row{"unknown_session", ErrorCode::kNotFound, kStatusNotFound},
    Row{"busy", ErrorCode::kUnavailable, kStatusResourceExhausted},
    Row{"draining", ErrorCode::kUnavailable, kStatusUnavailable},
    Row{"unauthenticated", ErrorCode::kPermissionDenied, kStatusUnauthenticated},
    Row{"idle", ErrorCode::kUnavailable, kStatusAborted},
    Row{"deadline", ErrorCode::kDeadlineExceeded, kStatusDeadlineExceeded},
    Row{"replaced", ErrorCode::kCancelled, kStatusAborted},
    Row{"cancelled", ErrorCode::kCancelled, kStatusCancelled},
    Row{"internal", ErrorCode::kInternal, kStatusInternal},
};
static_assert(kRows.size() == static_cast<std::size_t>(kLastErrorKind) + 1);

const Row& row(ErrorKind kind) { return kRows.at(static_cast<std::size_t>(kind)); }

constexpr Seconds kRetryUnavailable = Seconds(1.0);

std::uint32_t to_ms(Seconds time) {
  constexpr double kMost = std::numeric_limits<std::uint32_t>::max();
  return static_cast<std::uint32_t>(std::clamp(std::ceil(time.value() * 1e3), 0.0, kMost));
}

// A sentence fit for a terminal, whatever the peer sent.
std::string readable(std::string_view text) {
  return replace_invalid_utf8(text.substr(0, kMaxTextBytes));
}

}  // namespace

std::string_view to_string(ErrorKind kind) { return row(kind).name; }

Error to_error(const WireError& error) { return {row(error.kind).code, error.message}; }

int status_code(ErrorKind kind) { return row(kind).status; }

WireError from_status(int code, std::string_view message) {
  const auto with = [&](ErrorKind kind, Seconds retry = {}) {
    return WireError{kind, readable(message), retry};
  };
  switch (code) {
    case kStatusCancelled:
      return with(ErrorKind::kCancelled);
    case kStatusDeadlineExceeded:
      return with(ErrorKind::kDeadline);
    case kStatusPermissionDenied:
    case kStatusUnauthenticated:
      return with(ErrorKind::kUnauthenticated);
    case kStatusResourceExhausted:  // gRPC's own word for a message above its size limit
      return with(ErrorKind::kTooLong);
    case kStatusUnimplemented:  // the peer is a gRPC server, but no Gelato edge of this version
      return with(ErrorKind::kVersion);
    case kStatusUnavailable:
      return with(ErrorKind::kBusy, kRetryUnavailable);
    default:
      return with(ErrorKind::kUnspecified);
  }
}

std::string encode_error(const WireError& error) {
  v1::Error out;
  out.set_kind(static_cast<v1::ErrorKind>(error.kind));
  out.set_message(readable(error.message));
  out.set_retry_after_ms(to_ms(error.retry_after));
  if (error.kind == ErrorKind::kVersion) {
    out.set_protocol_oldest(kOldestProtocol);
    out.set_protocol_newest(kProtocol);
  }
  return out.SerializeAsString();
}

WireError decode_error(std::string_view bytes) {
  v1::Error in;
  WireError error{ErrorKind::kUnspecified, {}, {}};
  if (bytes.size() > 2 * kMaxTextBytes ||
      !in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    error.message = "the edge gave an error that cannot be read";
    return error;
  }
  if (in.kind() > 0 && in.kind() <= static_cast<int>(kLastErrorKind)) {
    error.kind = static_cast<ErrorKind>(in.kind());
  }
  error.message = readable(in.message());
  error.retry_after = milliseconds(in.retry_after_ms());
  return error;
}

}  // namespace gelato::proto
