#include "gelato/measured_transport.h"

#include <algorithm>
#include <variant>

namespace gelato::cli {

void MeasuredTransport::send(const proto::DeviceMessage& message) {
  sent_ = clock_->now();
  if (const auto* draft = std::get_if<proto::Draft>(&message)) {
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
    add(verdict->timing, 1, drafted_, verdict->accepted);
  } else if (const auto* written = std::get_if<proto::Tokens>(&**message)) {
    add(written->timing, written->tokens.size(), 0, 0);
    sent_ = clock_->now();  // the edge goes on by itself
  }
  return message;
}

void MeasuredTransport::add(const proto::Timing& timing, std::size_t passes, std::uint32_t drafted,
                            std::uint32_t accepted) {
  const Seconds now = clock_->now();
  const double share = 1.0 / static_cast<double>(std::max<std::size_t>(passes, 1));
  answers_.insert(answers_.end(), passes,
                  {.at = now,
                   .waited = (now - sent_) * share,
                   .queued = timing.queue * share,
                   .pass = timing.verify * share,
                   .sessions = timing.sessions,
                   .drafted = drafted,
                   .accepted = accepted,
                   .traffic = inner_->traffic()});
}

}  // namespace gelato::cli
