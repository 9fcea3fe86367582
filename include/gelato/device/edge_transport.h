// How messages get to an edge and back: one stream at a time, in order, every wait bounded. The
// real one is GrpcTransport; the tests have one without a network.
#pragma once

#include <cstdint>
#include <optional>

#include "gelato/base/units.h"
#include "gelato/proto/error.h"
#include "gelato/proto/messages.h"

namespace gelato::device {

// Serialised messages, without the framing of gRPC, HTTP/2, TLS and TCP.
struct Traffic {
  std::uint64_t up_bytes = 0;
  std::uint64_t down_bytes = 0;
};

// Not thread-safe.
class EdgeTransport {
 public:
  virtual ~EdgeTransport() = default;

  // Begins a stream with `open`, dropping the one before. Returns at once; whether it works shows
  // in receive().
  virtual void open(const proto::Open& open) = 0;
  // Sends a message on the stream. Returns at once. Without a stream it does nothing.
  virtual void send(const proto::DeviceMessage& message) = 0;
  // The next message, or nothing if none has come after `wait`.
  // Errors: why the stream ended or could not be begun; the stream is gone then. kUnexpected when
  // there is no stream.
  virtual proto::WireResult<std::optional<proto::EdgeMessage>> receive(Seconds wait) = 0;
  // Gives up the stream and the connection under it; the edge keeps its session for a while.
  virtual void drop() = 0;
  // Lets `time` pass.
  virtual void pause(Seconds time) = 0;

  [[nodiscard]] virtual Traffic traffic() const = 0;
};

}  // namespace gelato::device
