#include "gelato/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace gelato::cli {
namespace {

// 0, or the errno of the failure; `pid` is the new process.
int spawn(const std::vector<std::string>& command, int in, int out, int err, pid_t& pid) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (in < 0) {
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  } else {
    posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
  }
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t ours;  // we ignore it; the program need not expect that
  sigemptyset(&ours);
  sigaddset(&ours, SIGPIPE);
  posix_spawnattr_setsigdefault(&attributes, &ours);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);

  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
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

}  // namespace

void Descriptor::reset(int number) {
  if (number_ >= 0) {
    ::close(number_);
  }
  number_ = number;
}

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return fail(ErrorCode::kIo, fmt::format("cannot make a pipe: {}", std::strerror(errno)));
  }
  return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

Result<Descriptor> memory_file(const char* name) {
  Descriptor file(::memfd_create(name, MFD_CLOEXEC));
  if (file.get() < 0) {
    return fail(ErrorCode::kIo,
                fmt::format("cannot make a file in memory: {}", std::strerror(errno)));
  }
  return file;
}

std::string content(const Descriptor& file) {
  std::array<char, 8192> buffer{};
  const ssize_t n = ::pread(file.get(), buffer.data(), buffer.size(), 0);
  return {buffer.data(), n > 0 ? static_cast<std::size_t>(n) : 0};
}

std::string last_line(std::string text) {
  while (!text.empty() && text.back() == '\n') {
    text.pop_back();
  }
  return text.substr(text.rfind('\n') + 1);
}

Result<Child> Child::start(const std::vector<std::string>& command, int out, int err, int in) {
  pid_t pid = -1;
  if (const int error = spawn(command, in, out, err, pid); error != 0) {
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
  return child;
}

Child::~Child() {
  if (pid_ > 0) {
    signal(SIGKILL);
    (void)wait();
  }
}

bool Child::ended(int timeout_ms) const {
  pollfd wait{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
  return ::poll(&wait, 1, timeout_ms) > 0;
}

void Child::signal(int number) const { ::kill(pid_, number); }

int Child::wait() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return status;
}

}  // namespace gelato::cli
