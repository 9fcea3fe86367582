#include "gelato/link/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

namespace gelato::link {
namespace {

constexpr std::size_t kColumns = 4;

struct Column {
  std::string_view name;
  double max;
};
constexpr std::array<Column, kColumns> kColumn{{{"time_s", kMaxTraceTime.value()},
                                                {"rate_bps", kMaxRate.value()},
                                                {"delay_s", kMaxDelay.value()},
                                                {"loss", kMaxLoss}}};

tl::unexpected<Error> bad_line(std::size_t line, std::string_view why) {
  return fail(ErrorCode::kCorrupt, fmt::format("line {} of the link trace: {}", line, why));
}

// Takes the text before the first of `ends` off the front of `text`, and that character with it.
std::string_view take_until(std::string_view& text, std::string_view ends) {
  const std::size_t end = std::min(text.find_first_of(ends), text.size());
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return taken;
}

// The columns of one line, without its comment.
struct Row {
  std::array<double, kColumns> value{};
  std::size_t columns = 0;
};

Result<Row> parse_row(std::string_view text, std::size_t line) {
  Row row;
  while (!text.empty()) {
    const std::string_view field = take_until(text, " \t,\r");
    if (field.empty()) {
      continue;
    }
    if (row.columns == kColumns) {
      return bad_line(line, "there are more than 4 columns");
    }
    const Column& column = kColumn.at(row.columns);
    double x = 0.0;
    const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), x);
    if (error != std::errc() || end != field.data() + field.size() || !(x >= 0.0) ||
        x > column.max) {
      return bad_line(line,
                      fmt::format("{} must be a number between 0 and {}", column.name, column.max));
    }
    row.value.at(row.columns++) = x;
  }
  return row;
}

TraceRow to_trace_row(const Row& row) {
  TraceRow out{Seconds(row.value[0]), BitsPerSecond(row.value[1]), std::nullopt, std::nullopt};
  if (row.columns > 2) {
    out.delay = Seconds(row.value[2]);
  }
  if (row.columns > 3) {
    out.loss = row.value[3];
  }
  return out;
}

// Whether `row` may follow the rows of `trace`, the first of which had `columns` columns.
Result<> check_row(const Row& row, const Trace& trace, std::size_t columns, std::size_t line) {
  if (row.columns < 2) {
    return bad_line(line, "a row needs at least time_s and rate_bps");
  }
  if (trace.empty()) {
    return row.value[0] == 0.0 ? Result<>()
                               : Result<>(bad_line(line, "the first row's time_s must be 0"));
  }
  if (row.columns != columns) {
    return bad_line(line,
                    fmt::format("{} columns, but the first row has {}", row.columns, columns));
  }
  if (!(Seconds(row.value[0]) > trace.back().time)) {
    return bad_line(line, "time_s must be later than in the row before");
  }
  return {};
}

BitsPerSecond mean_rate(const Trace& trace, Seconds period) {
  Bits carried;
  for (std::size_t i = 0; i < trace.size(); ++i) {
    const Seconds end = i + 1 < trace.size() ? trace[i + 1].time : period;
    carried += trace[i].rate * (end - trace[i].time);
  }
  return carried / period;
}

}  // namespace

Result<Trace> parse_trace(std::string_view text) {
  if (text.size() > kMaxTraceBytes) {
    return fail(ErrorCode::kLimitExceeded,
                fmt::format("the link trace has {} bytes, but at most {} are allowed", text.size(),
                            kMaxTraceBytes));
  }
  Trace trace;
  std::size_t columns = 0;
  for (std::size_t line = 1; !text.empty(); ++line) {
    std::string_view rest = take_until(text, "\n");
    const auto row = parse_row(take_until(rest, "#"), line);
    if (!row) {
      return fail(row.error());
    }
    if (row->columns == 0) {
      continue;
    }
    if (const auto ok = check_row(*row, trace, columns, line); !ok) {
      return fail(ok.error());
    }
    if (trace.size() == kMaxTraceRows) {
      return fail(ErrorCode::kLimitExceeded,
                  fmt::format("the link trace has more than {} rows", kMaxTraceRows));
    }
    columns = row->columns;
    trace.push_back(to_trace_row(*row));
  }
  if (trace.empty()) {
    return fail(ErrorCode::kCorrupt, "the link trace has no rows: write 'time_s rate_bps' lines");
  }
  return trace;
}

TraceChannel::TraceChannel(Trace trace, std::optional<Seconds> repeat)
    : trace_(std::move(trace)), repeat_(repeat) {}

Result<TraceChannel> TraceChannel::create(Trace trace, std::optional<Seconds> repeat) {
  const auto not_rising = [](const TraceRow& a, const TraceRow& b) { return !(a.time < b.time); };
  if (trace.empty() || trace.front().time != Seconds(0) ||
      std::adjacent_find(trace.begin(), trace.end(), not_rising) != trace.end()) {
    return fail(ErrorCode::kInvalidArgument,
                "a link trace to replay needs rows whose times rise from 0");
  }
  if (repeat && !(*repeat > trace.back().time)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("the link trace repeats after {} s, but its last row is at {} s: "
                            "repeat later",
                            repeat->value(), trace.back().time.value()));
  }
  const BitsPerSecond lasting = repeat ? mean_rate(trace, *repeat) : trace.back().rate;
  if (!(lasting >= kMinRate)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("the link trace carries {} bit/s in the long run, but at least {} are "
                            "needed: {}",
                            lasting.value(), kMinRate.value(),
                            repeat ? "raise its rates" : "end it with a higher rate or repeat it"));
  }
  return TraceChannel(std::move(trace), repeat);
}

ChannelState TraceChannel::state_at(Seconds t) const {
  t = std::max(t, Seconds(0));
  const Seconds phase = repeat_ ? Seconds(std::fmod(t.value(), repeat_->value())) : t;
  const auto next =
      std::upper_bound(trace_.begin(), trace_.end(), phase,
                       [](Seconds when, const TraceRow& row) { return when < row.time; });
  const TraceRow& row = *(next - 1);  // the first row's time is 0 <= phase
  const Seconds end = next != trace_.end() ? next->time
                      : repeat_            ? *repeat_
                                           : Seconds(std::numeric_limits<double>::infinity());
  return {row.rate, t + (end - phase), row.delay, row.loss};
}

}  // namespace gelato::link
