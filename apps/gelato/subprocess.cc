#include "gelato/subprocess.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace gelato::cli {
namespace {

// Closes when it goes.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  ~Descriptor() { reset(); }
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    reset(std::exchange(other.number_, -1));
    return *this;
  }
  void reset(int number = -1) {
    if (number_ >= 0) {
      ::close(number_);
    }
    number_ = number;
  }
  [[nodiscard]] int get() const { return number_; }

 private:
  int number_;
};

struct Pipe {
  Descriptor read;
  Descriptor write;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return fail(ErrorCode::kIo, fmt::format("cannot make a pipe: {}", std::strerror(errno)));
  }
  return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

// A child process. Killed and reaped when this goes.
class Child {
 public:
  Child(pid_t pid, int pidfd) : pid_(pid), pidfd_(pidfd) {}
  ~Child() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      (void)wait();
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Readable once the process has ended.
  [[nodiscard]] int pidfd() const { return pidfd_.get(); }
  // Blocks until it has ended; its wait status.
  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
  }

 private:
  pid_t pid_;
  Descriptor pidfd_;
};

// 0, or the errno of the failure; `pid` is the new process.
int spawn(const std::vector<std::string>& command, const Pipe& out, const Pipe& err, pid_t& pid) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out.write.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.write.get(), STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t ours;  // we ignore it; the program need not expect that
  sigemptyset(&ours);
  sigaddset(&ours, SIGPIPE);
  posix_spawnattr_setsigdefault(&attributes, &ours);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);

  std::vector<char*> arguments;
  for (const std::string& argument : command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  const int error =
      ::posix_spawn(&pid, arguments[0], &actions, &attributes, arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

// What a stream of the child has written so far.
struct Stream {
  Descriptor from;
  std::string* text;
};

// Takes what is there. Closes the stream at its end.
Result<void> take(Stream& stream, std::size_t limit) {
  std::array<char, 65536> buffer;
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
Result<void> collect(const Child& child, std::array<Stream, 2> streams, const Clock& clock,
                     const ProcessLimits& limits) {
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
  pid_t pid = -1;
  if (const int error = spawn(command, *out, *err, pid); error != 0) {
    const ErrorCode code = error == ENOENT   ? ErrorCode::kNotFound
                           : error == EACCES ? ErrorCode::kPermissionDenied
                                             : ErrorCode::kIo;
    return fail(code, fmt::format("cannot start {}: {}", command[0], std::strerror(error)));
  }
  Child child(pid, static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (child.pidfd() < 0) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("cannot watch {}: {}", command[0], std::strerror(errno)));
  }
  out->write.reset();
  err->write.reset();
  ProcessResult result;
  const auto collected = collect(
      child, {Stream{std::move(out->read), &result.out}, Stream{std::move(err->read), &result.err}},
      clock, limits);
  if (!collected) {
    return fail(collected.error().code,
                fmt::format("{}: {}", command[0], collected.error().message));
  }
  const int status = child.wait();
  result.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return result;
}

}  // namespace gelato::cli
