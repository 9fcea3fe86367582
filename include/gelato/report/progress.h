// How far a long piece of work is.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "gelato/base/clock.h"
#include "gelato/base/units.h"
#include "gelato/report/terminal.h"

namespace gelato::report {

// A bar that redraws its line on an interactive terminal, at most ten times a second; elsewhere a
// plain line at most every five seconds, so that a log stays readable. The last step always shows.
// One thread. The destructor ends the bar's line, so that what follows starts on a new one.
class Progress {
 public:
  using Sink = std::function<void(std::string_view)>;  // writes and flushes; usually standard error

  // `clock` must outlive this object. `total` is the number of steps; 0 shows nothing at all.
  Progress(std::string label, std::uint64_t total, Terminal terminal, const Clock& clock,
           Sink sink);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `done` steps of the total are done; more than the total counts as the total.
  void update(std::uint64_t done);

 private:
  void draw_bar(std::uint64_t done);

  std::string label_;
  std::uint64_t total_;
  Terminal terminal_;
  const Clock& clock_;
  Sink sink_;
  Seconds next_;            // no drawing before this time
  bool line_open_ = false;  // a bar stands on the line, which is not ended yet
  bool complete_ = false;   // the last step was shown
};

}  // namespace gelato::report
