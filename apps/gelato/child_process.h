// A child process that is killed and reaped when its owner goes; what run_process(), EdgeProcess
// and LoadProcess are made of.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "gelato/base/result.h"

namespace gelato::cli {

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
  void reset(int number = -1);
  [[nodiscard]] int get() const { return number_; }

 private:
  int number_;
};

struct Pipe {
  Descriptor read;
  Descriptor write;
};
// Errors: kIo.
Result<Pipe> make_pipe();

// A file in memory: unlike a pipe, it takes what is written while nobody reads. Errors: kIo.
Result<Descriptor> memory_file(const char* name);
// The beginning of what was written there, 8 KiB at most.
std::string content(const Descriptor& file);
std::string last_line(std::string text);

class Child {
 public:
  // Starts `command` (the path of a program, then its arguments) with these descriptors as standard
  // output, standard error and standard input, which is empty if none is given.
  // Errors: kNotFound or kPermissionDenied if it cannot be started; kUnsupported, kIo.
  static Result<Child> start(const std::vector<std::string>& command, int out, int err,
                             int in = -1);
  ~Child();
  Child(Child&& other) noexcept
      : pid_(std::exchange(other.pid_, -1)), pidfd_(std::move(other.pidfd_)) {}
  Child& operator=(Child&&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  // Readable once the process has ended.
  [[nodiscard]] int pidfd() const { return pidfd_.get(); }
  // Whether it has ended, after waiting up to `timeout_ms` for that.
  [[nodiscard]] bool ended(int timeout_ms) const;
  void signal(int number) const;
  // Blocks until it has ended; its wait status.
  int wait();

 private:
  Child(pid_t pid, int pidfd) : pid_(pid), pidfd_(pidfd) {}

  pid_t pid_;
  Descriptor pidfd_;
};

}  // namespace gelato::cli
