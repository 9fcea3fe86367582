// Running another program to its end: no shell, nothing inherited but the environment, and never
// longer than a deadline.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "gelato/base/clock.h"
#include "gelato/base/result.h"

namespace gelato::cli {

struct ProcessResult {
  int exit_code = 0;  // -1 if a signal ended it
  int signal = 0;
  std::string out;
  std::string err;
};

struct ProcessLimits {
  Seconds deadline{60.0};
  std::size_t output_bytes = std::size_t{16} << 20U;  // of each stream
  // Asked several times a second; true ends the program.
  std::function<bool()> cancelled = [] { return false; };
  // Told whenever the program has written something, with all of it so far.
  std::function<void(const ProcessResult&)> on_output = [](const ProcessResult&) {};
};

// Runs `command` (the path of a program, then its arguments) with an empty standard input, and
// collects what it writes. When this returns the program has ended: by itself, or killed.
// Errors: kNotFound or kPermissionDenied if it cannot be started; kDeadlineExceeded;
// kLimitExceeded if it writes more than output_bytes; kCancelled; kIo.
Result<ProcessResult> run_process(const std::vector<std::string>& command, const Clock& clock,
                                  const ProcessLimits& limits);

}  // namespace gelato::cli
