// A log that does something when a warning comes, so that a test can mend what it broke as soon as
// the device has noticed.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "gelato/base/log.h"

namespace gelato::device {

class EventLog final : public Log {
 public:
  void write(LogLevel level, std::string_view line) override {
    lines.emplace_back(line);
    if (level == LogLevel::kWarn && on_warning) {
      on_warning();
    }
  }
  std::vector<std::string> lines;
  std::function<void()> on_warning;
};

}  // namespace gelato::device
