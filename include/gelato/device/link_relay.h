// A relay between this device and its edge, in this process: it counts what goes over the wire, and
// makes a good link behave like another one (link::LinkEmulator).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "gelato/base/clock.h"
#include "gelato/base/result.h"
#include "gelato/link/link_emulator.h"

namespace gelato::device {

// Bytes in the TCP connections to the edge: messages with the framing of gRPC, HTTP/2 and TLS,
// without the headers of TCP and IP. Counted where they are read from the sockets.
struct WireBytes {
  std::uint64_t up = 0;
  std::uint64_t down = 0;
};

// Accepts connections on a port of 127.0.0.1 and connects each to the edge. All connections share
// one link. A thread of its own moves the bytes; while nothing is to be moved, it sleeps.
//
// Limits: kMaxConnections at once; per connection and direction what RelayLane holds. Without a
// link a byte is passed on as soon as it is there, which costs two changes of thread.
class LinkRelay {
 public:
  static constexpr std::size_t kMaxConnections = 32;

  struct Options {
    std::string edge;  // HOST:PORT; looked up for every connection, while nothing else moves
    // Nothing: the real link as it is.
    std::optional<link::LinkEmulator> link;
  };

  // `clock` must be a real one and outlive the relay; the emulated link runs on it.
  // Errors: kIo: no port, no thread.
  static Result<std::unique_ptr<LinkRelay>> start(Options options, const Clock& clock);
  // Breaks all connections.
  ~LinkRelay();
  LinkRelay(const LinkRelay&) = delete;
  LinkRelay& operator=(const LinkRelay&) = delete;

  // Where to connect to instead of the edge: 127.0.0.1:PORT.
  [[nodiscard]] std::string endpoint() const;

  // The rest may be called from any thread.
  [[nodiscard]] WireBytes wire() const;
  // Why the last connection that could not be made to the edge could not; empty if all could.
  [[nodiscard]] std::string failure() const;

  // For tests of what happens when a link fails. Held: bytes stay where they are, and nobody is
  // told, as when a radio loses its cell. Severed: every connection is reset, new ones too. Each
  // returns when it is so.
  void hold(bool held);
  void sever(bool severed);

 private:
  class Loop;
  explicit LinkRelay(std::unique_ptr<Loop> loop);
  std::unique_ptr<Loop> loop_;
};

}  // namespace gelato::device
