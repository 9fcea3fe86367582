#include "sockets.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>

namespace gelato::device {
namespace {

std::string reason(int error) { return std::generic_category().message(error); }

Moved outcome(ssize_t n, std::size_t& count) {
  if (n > 0) {
    count = static_cast<std::size_t>(n);
    return Moved::kSome;
  }
  if (n == 0) {
    return Moved::kEnd;
  }
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? Moved::kNothingNow
                                                                   : Moved::kBroken;
}

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

Result<Listener> listen_on_loopback() {
  constexpr int kWaiting = 16;
  Listener out{.descriptor =
                   Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0))};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (!out.descriptor.valid() || ::bind(out.descriptor.get(), generic, size) != 0 ||
      ::listen(out.descriptor.get(), kWaiting) != 0 ||
      ::getsockname(out.descriptor.get(), generic, &size) != 0) {
    return fail(ErrorCode::kIo,
                fmt::format("cannot listen on a port of 127.0.0.1: {}", reason(errno)));
  }
  out.port = ntohs(address.sin_port);
  return out;
}

Result<std::vector<SocketAddress>> resolve(const std::string& endpoint) {
  const std::size_t colon = endpoint.rfind(':');
  if (colon == std::string::npos) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("\"{}\" is not HOST:PORT", endpoint));
  }
  std::string host = endpoint.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), endpoint.substr(colon + 1).c_str(), &hints, &found);
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
  if (error != 0) {
    return fail(ErrorCode::kNotFound,
                fmt::format("cannot find the host of {}: {}", endpoint, ::gai_strerror(error)));
  }
  std::vector<SocketAddress> out;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    SocketAddress& address = out.emplace_back();
    std::memcpy(&address.storage, one->ai_addr, one->ai_addrlen);
    address.size = one->ai_addrlen;
  }
  return out;
}

Result<Descriptor> begin_connect(const SocketAddress& address) {
  Descriptor out(
      ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const auto* generic = reinterpret_cast<const sockaddr*>(&address.storage);
  if (!out.valid() || (::connect(out.get(), generic, address.size) != 0 && errno != EINPROGRESS)) {
    return fail(ErrorCode::kUnavailable, reason(errno));
  }
  send_at_once(out);
  return out;
}

Result<bool> is_connected(const Descriptor& descriptor) {
  int error = 0;
  socklen_t size = sizeof(error);
  if (::getsockopt(descriptor.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
    error = errno;
  }
  if (error != 0) {
    return fail(ErrorCode::kUnavailable, reason(error));
  }
  SocketAddress peer{.size = sizeof(sockaddr_storage)};
  return ::getpeername(descriptor.get(), reinterpret_cast<sockaddr*>(&peer.storage), &peer.size) ==
         0;
}

Descriptor accept_from(const Descriptor& listener) {
  Descriptor out(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (out.valid()) {
    send_at_once(out);
  }
  return out;
}

void send_at_once(const Descriptor& descriptor) {
  const int on = 1;
  (void)::setsockopt(descriptor.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

void reset_on_close(const Descriptor& descriptor) {
  const linger now{.l_onoff = 1, .l_linger = 0};
  (void)::setsockopt(descriptor.get(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

Moved read_some(const Descriptor& descriptor, std::span<std::uint8_t> buffer, std::size_t& count) {
  return outcome(::recv(descriptor.get(), buffer.data(), buffer.size(), 0), count);
}

Moved write_some(const Descriptor& descriptor, std::span<const std::uint8_t> bytes,
                 std::size_t& count) {
  return outcome(::send(descriptor.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), count);
}

}  // namespace gelato::device
