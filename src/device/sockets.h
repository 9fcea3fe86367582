// The few socket calls that the relay needs, with owners and errors of ours.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "gelato/base/result.h"

namespace gelato::device {

// Owns a descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor();

  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool valid() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

// Listens on a free port of 127.0.0.1, without blocking calls. Errors: kIo.
struct Listener {
  Descriptor descriptor;
  std::uint16_t port = 0;
};
Result<Listener> listen_on_loopback();

// HOST:PORT or [HOST]:PORT to addresses, by the system's resolver, which may take its time.
// Errors: kInvalidArgument, kNotFound.
Result<std::vector<SocketAddress>> resolve(const std::string& endpoint);

// Begins to connect; the descriptor becomes writable when that is decided. Errors: kUnavailable.
Result<Descriptor> begin_connect(const SocketAddress& address);
// Whether it is connected by now. Errors: kUnavailable, why it never will be.
Result<bool> is_connected(const Descriptor& descriptor);

// The next connection that waits, if there is one.
Descriptor accept_from(const Descriptor& listener);

// Small messages go out at once.
void send_at_once(const Descriptor& descriptor);
// Closing it tells the peer with a reset, not as the end of a complete stream.
void reset_on_close(const Descriptor& descriptor);

enum class Moved : std::uint8_t { kSome, kNothingNow, kEnd, kBroken };
// Reads at most buffer.size() bytes; `count` is how many.
Moved read_some(const Descriptor& descriptor, std::span<std::uint8_t> buffer, std::size_t& count);
Moved write_some(const Descriptor& descriptor, std::span<const std::uint8_t> bytes,
                 std::size_t& count);

}  // namespace gelato::device
