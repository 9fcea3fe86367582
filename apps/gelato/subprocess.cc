#include "gelato/subprocess.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "gelato/child_process.h"

namespace gelato::cli {
namespace {

// What a stream of the child has written so far.
struct Stream {
  Descriptor from;
  std::string* text;
};

// Takes what is there. Closes the stream at its end.
Result<void> take(Stream& stream, std::size_t limit) {
  std::array<char, 65536> buffer{};
  const ssize_t n = ::read(stream.from.get(), buffer.data(), buffer.size());
  if (n < 0 && errno != EINTR && errno != EAGAIN) {
    return fail(ErrorCode::kIo, fmt::format("cannot read its output: {}", std::strerror(errno)));
  }
  if (n == 0) {
    stream.from.reset();
  }
  if (n > 0) {
    stream.text->append(buffer.data(), static_cast<std::size_t>(n));
  }
  if (stream.text->size() > limit) {
    return fail(ErrorCode::kLimitExceeded, fmt::format("it writes more than {} bytes", limit));
  }
  return {};
}

// Reads what is there in either stream, after waiting up to `timeout_ms` for something to happen.
// Returns whether there was anything; `ended` says whether the child has ended.
Result<bool> read_some(const Child& child, std::array<Stream, 2>& streams, int timeout_ms,
                       std::size_t limit, bool& ended) {
  std::array<pollfd, 3> waits{};
  waits[0] = {.fd = streams[0].from.get(), .events = POLLIN, .revents = 0};
  waits[1] = {.fd = streams[1].from.get(), .events = POLLIN, .revents = 0};
  waits[2] = {.fd = child.pidfd(), .events = POLLIN, .revents = 0};
  bool some = false;
  if (::poll(waits.data(), waits.size(), timeout_ms) > 0) {
    for (std::size_t i = 0; i < streams.size(); ++i) {
      if (waits[i].revents != 0) {
        some = true;
        if (auto ok = take(streams[i], limit); !ok) {
          return fail(ok.error());
        }
      }
    }
    ended = waits[2].revents != 0;
  }
  return some;
}

// Reads both streams until the child has ended and nothing is left in them.
Result<void> collect(const Child& child, std::array<Stream, 2> streams, const ProcessResult& result,
                     const Clock& clock, const ProcessLimits& limits) {
  constexpr int kSliceMs = 100;  // how long an interrupt may go unnoticed
  const Seconds end = clock.now() + limits.deadline;
  bool ended = false;
  for (;;) {
    // What the child wrote before it ended is in the pipes by the time that its end shows.
    const bool last_look = ended;
    const auto some =
        read_some(child, streams, last_look ? 0 : kSliceMs, limits.output_bytes, ended);
    if (!some) {
      return fail(some.error());
    }
    if (*some) {
      limits.on_output(result);
    }
    if (last_look && !*some) {
      return {};
    }
    if (limits.cancelled()) {
      return fail(ErrorCode::kCancelled, "it was interrupted");
    }
    if (clock.now() > end) {
      return fail(ErrorCode::kDeadlineExceeded,
                  fmt::format("it has not ended after {:.0f} s", limits.deadline.value()));
    }
  }
}

}  // namespace

Result<ProcessResult> run_process(const std::vector<std::string>& command, const Clock& clock,
                                  const ProcessLimits& limits) {
  auto out = make_pipe();
  auto err = make_pipe();
  if (!out || !err) {
    return fail(out ? err.error() : out.error());
  }
  auto child = Child::start(command, out->write.get(), err->write.get());
  if (!child) {
    return fail(child.error());
  }
  out->write.reset();
  err->write.reset();
  ProcessResult result;
  const auto collected = collect(
      *child,
      {Stream{std::move(out->read), &result.out}, Stream{std::move(err->read), &result.err}},
      result, clock, limits);
  if (!collected) {
    return fail(collected.error().code,
                fmt::format("{}: {}", command[0], collected.error().message));
  }
  const int status = child->wait();
  result.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return result;
}

}  // namespace gelato::cli
