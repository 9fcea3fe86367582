// The way from the model thread back to one device.
#pragma once

#include <cstddef>
#include <optional>

#include "gelato/proto/error.h"
#include "gelato/proto/messages.h"

namespace gelato::edge {

// One stream. Calls come from the model thread, never block, and are harmless after the stream has
// broken.
class Outbox {
 public:
  virtual ~Outbox() = default;
  // In order.
  virtual void send(const proto::EdgeMessage& message) = 0;
  // The stream ends after what was sent: well, or with an error. The last call.
  virtual void finish(const std::optional<proto::WireError>& error) = 0;
  // Messages that the network has not taken yet.
  [[nodiscard]] virtual std::size_t backlog() const = 0;
  // One event of this stream has left the mailbox, so the next may be read.
  virtual void consumed() = 0;
};

}  // namespace gelato::edge
