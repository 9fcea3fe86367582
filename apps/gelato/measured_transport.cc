#include "gelato/measured_transport.h"

#include <variant>

namespace gelato::cli {

void MeasuredTransport::send(const proto::DeviceMessage& message) {
  if (const auto* draft = std::get_if<proto::Draft>(&message)) {
    sent_ = clock_->now();
    drafted_ = static_cast<std::uint32_t>(draft->draft.size());
  }
  inner_->send(message);
}

proto::WireResult<std::optional<proto::EdgeMessage>> MeasuredTransport::receive(Seconds wait) {
  auto message = inner_->receive(wait);
  if (!message || !*message) {
    return message;
  }
  if (const auto* verdict = std::get_if<proto::Verdict>(&**message)) {
    const Seconds now = clock_->now();
    answers_.push_back({.at = now,
                        .waited = now - sent_,
                        .queued = verdict->timing.queue,
                        .pass = verdict->timing.verify,
                        .sessions = verdict->timing.sessions,
                        .drafted = drafted_,
                        .accepted = verdict->accepted,
                        .traffic = inner_->traffic()});
  }
  return message;
}

}  // namespace gelato::cli
