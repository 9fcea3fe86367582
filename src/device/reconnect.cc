#include "gelato/device/reconnect.h"

#include <algorithm>
#include <cmath>

namespace gelato::device {

using proto::ErrorKind;

Recovery recovery_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kUnknownSession:
    case ErrorKind::kReplaced:  // whoever has it now, it is no longer ours
      return Recovery::kAnew;
    case ErrorKind::kUnspecified:
    case ErrorKind::kBusy:
    case ErrorKind::kDraining:
    case ErrorKind::kIdle:
    case ErrorKind::kDeadline:
    case ErrorKind::kCancelled:
    case ErrorKind::kInternal:
      return Recovery::kResume;
    case ErrorKind::kVersion:
    case ErrorKind::kModel:
    case ErrorKind::kVocabulary:
    case ErrorKind::kMode:
    case ErrorKind::kMalformed:
    case ErrorKind::kTokenRange:
    case ErrorKind::kRow:
    case ErrorKind::kPosition:
    case ErrorKind::kTooLong:
    case ErrorKind::kTooMany:
    case ErrorKind::kContextFull:
    case ErrorKind::kUnexpected:
    case ErrorKind::kUnauthenticated:
      break;
  }
  return Recovery::kNone;
}

bool is_absence(ErrorKind kind) {
  return kind == ErrorKind::kBusy || kind == ErrorKind::kDraining || kind == ErrorKind::kDeadline;
}

Seconds Reconnect::next_wait() {
  if (attempts_ == 0) {
    return options_.first * rng_.uniform();
  }
  const Seconds wait = options_.first * std::pow(options_.growth, attempts_);
  const double scale = 1.0 + options_.jitter * (2.0 * rng_.uniform() - 1.0);
  return std::min(wait, options_.longest) * scale;
}

Reconnect::Step Reconnect::failed(const proto::WireError& error, Seconds now) {
  const Recovery recovery = recovery_of(error.kind);
  if (attempts_ == 0) {
    first_failure_ = now;
  }
  faults_ = is_absence(error.kind) ? 0 : faults_ + 1;
  if (recovery == Recovery::kNone || faults_ > options_.most_faults) {
    return {};
  }
  const Seconds wait = recovery == Recovery::kAnew && faults_ == 1
                           ? Seconds(0)
                           : std::max(next_wait(), error.retry_after);
  ++attempts_;
  if (now + wait - first_failure_ > options_.give_up) {
    return {};
  }
  return {recovery, now + wait};
}

void Reconnect::answered() {
  attempts_ = 0;
  faults_ = 0;
}

}  // namespace gelato::device
