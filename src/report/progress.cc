#include "gelato/report/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace gelato::report {
namespace {

constexpr Seconds kRedraw(0.1);    // faster flickers and slows the work down
constexpr Seconds kNextLine(5.0);  // a log line twelve times a minute
constexpr std::size_t kBarWidth = 24;

}  // namespace

Progress::Progress(std::string label, std::uint64_t total, Terminal terminal, const Clock& clock,
                   Sink sink)
    : label_(std::move(label)),
      total_(total),
      terminal_(terminal),
      clock_(clock),
      sink_(std::move(sink)),
      next_(clock.now()) {}

Progress::~Progress() {
  if (line_open_) {
    sink_("\n");
  }
}

void Progress::update(std::uint64_t done) {
  done = std::min(done, total_);
  const Seconds now = clock_.now();
  const bool last = done == total_;
  if (total_ == 0 || complete_ || (now < next_ && !last)) {
    return;
  }
  complete_ = last;
  if (terminal_.interactive) {
    next_ = now + kRedraw;
    draw_bar(done);
  } else {
    next_ = now + kNextLine;
    sink_(fmt::format("{}: {} of {}\n", label_, done, total_));
  }
}

void Progress::draw_bar(std::uint64_t done) {
  const auto share = static_cast<double>(done) / static_cast<double>(total_);
  const auto filled = static_cast<std::size_t>(share * static_cast<double>(kBarWidth));
  const std::string bar = std::string(filled, '#') + std::string(kBarWidth - filled, '.');
  std::string line = fmt::format("{} {} {}/{}", label_, bar, done, total_);
  if (display_width(line) >= static_cast<std::size_t>(std::max(terminal_.columns, 0))) {
    line = fmt::format("{}/{}", done, total_);  // a line that wraps could not be redrawn
  }
  sink_(fmt::format("\r\x1b[K{}{}", line, complete_ ? "\n" : ""));
  line_open_ = !complete_;
}

}  // namespace gelato::report
