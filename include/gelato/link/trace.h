// Recorded links: the rate (and, if it was measured, delay and loss) of a link over time, from a
// text file. The file is read by the application; here is only its text.
//
//   # time_s  rate_bps  [delay_s  [loss]]
//   0     2.5e6   0.030   0.00
//   0.5   1.1e6   0.045   0.01
//   1.0   0       0.045   0
//
// One row per line: columns separated by blanks, tabs or commas; "#" begins a comment; empty lines
// are skipped. A row holds from its time to the next row's. Every row has the same two, three or
// four columns. Times begin at 0 and rise. delay_s is one-way and replaces the delay of the link's
// specification; loss is the probability that a packet is lost and replaces its loss. A rate of 0
// is an outage.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "gelato/base/result.h"
#include "gelato/base/units.h"
#include "gelato/link/channel.h"

namespace gelato::link {

struct TraceRow {
  Seconds time;
  BitsPerSecond rate;
  std::optional<Seconds> delay;
  std::optional<double> loss;
  friend bool operator==(const TraceRow&, const TraceRow&) = default;
};
using Trace = std::vector<TraceRow>;

// Limits of parse_trace(), besides kMaxRate, kMaxDelay and kMaxLoss. Seven hours at ten rows a
// second have 252 000 rows.
inline constexpr std::size_t kMaxTraceBytes = std::size_t{16} << 20;
inline constexpr std::size_t kMaxTraceRows = 256'000;
inline constexpr Seconds kMaxTraceTime{1e6};

// Reads the text of a trace file.
// Errors: kCorrupt, naming the line: a column that is no number, out of its range, missing or
// superfluous; times that do not begin at 0 or do not rise; no row at all. kLimitExceeded: more
// than kMaxTraceBytes or kMaxTraceRows.
Result<Trace> parse_trace(std::string_view text);

// Replays a trace.
class TraceChannel final : public ChannelModel {
 public:
  // Without `repeat` the last row holds for ever; with it the trace starts again every `repeat`.
  // Errors: kInvalidArgument: no rows, or times that do not rise from 0; `repeat` not after the
  // last row's time; a trace that ends in an outage without `repeat`, or averages less than
  // kMinRate with it (what is sent must arrive some day).
  static Result<TraceChannel> create(Trace trace, std::optional<Seconds> repeat);

  [[nodiscard]] ChannelState state_at(Seconds t) const override;

 private:
  TraceChannel(Trace trace, std::optional<Seconds> repeat);

  Trace trace_;
  std::optional<Seconds> repeat_;
};

}  // namespace gelato::link
