// Where a module's log lines go. A library never writes to a terminal by itself: it is given a Log,
// and the application decides what becomes of it.
#pragma once

#include <memory>
#include <string_view>

namespace gelato {

enum class LogLevel { kDebug, kInfo, kWarn, kError, kOff };

// A sink of log lines. Implementations accept calls from any thread.
class Log {
 public:
  virtual ~Log() = default;
  virtual void write(LogLevel level, std::string_view line) = 0;

  void debug(std::string_view line) { write(LogLevel::kDebug, line); }
  void info(std::string_view line) { write(LogLevel::kInfo, line); }
  void warn(std::string_view line) { write(LogLevel::kWarn, line); }
  void error(std::string_view line) { write(LogLevel::kError, line); }
};

// Drops everything.
class NullLog final : public Log {
 public:
  void write(LogLevel, std::string_view) override {}
};

// Lines with time and level on standard error, from `threshold` up.
std::unique_ptr<Log> make_stderr_log(LogLevel threshold);

}  // namespace gelato
