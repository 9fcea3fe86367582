// The program as a process of its own, which may be killed.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include "src/device/sockets.h"

namespace gelato::device {

class Program {
 public:
  Program() = default;
  // Kills it, if it still runs.
  ~Program() { end(SIGKILL); }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // Starts `gelato` with these arguments; its standard output is read_line()'s.
  void start(std::vector<std::string> arguments) {
    std::array<int, 2> pipe{};
    ASSERT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
    output_ = Descriptor(pipe[0]);
    const Descriptor write_end(pipe[1]);
    arguments.insert(arguments.begin(), GELATO_PROGRAM);
    std::vector<char*> pointers;
    pointers.reserve(arguments.size() + 1);
    for (std::string& argument : arguments) {
      pointers.push_back(argument.data());
    }
    pointers.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    const int error =
        ::posix_spawn(&process_, GELATO_PROGRAM, &actions, nullptr, pointers.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    ASSERT_EQ(error, 0);
  }

  // The next line of its standard output; empty if none comes.
  std::string read_line() {
    constexpr int kPatienceMs = 60000;
    std::string line;
    char c = 0;
    pollfd one{.fd = output_.get(), .events = POLLIN, .revents = 0};
    while (::poll(&one, 1, kPatienceMs) == 1 && ::read(output_.get(), &c, 1) == 1 && c != '\n') {
      line += c;
    }
    return line;
  }

  // Sends a signal and waits until the process is gone.
  void end(int signal) {
    if (process_ > 0) {
      ::kill(process_, signal);
      ::waitpid(std::exchange(process_, -1), nullptr, 0);
    }
  }

 private:
  pid_t process_ = -1;
  Descriptor output_;
};

// Starts `gelato edge` with the bundled target on `port` of the loopback (0: a free one); returns
// the port once it listens there.
inline std::uint16_t start_edge(Program& program, std::uint16_t port) {
  program.start({"edge", "--listen", "127.0.0.1:" + std::to_string(port)});
  const std::string line = program.read_line();
  std::uint16_t taken = 0;
  std::from_chars(line.data() + line.rfind(':') + 1, line.data() + line.size(), taken);
  EXPECT_NE(taken, 0) << line;
  return taken;
}

}  // namespace gelato::device
