#include "gelato/link/trace.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace gelato::link {
namespace {

constexpr std::string_view kText =
    "# time_s rate_bps delay_s loss\n"
    "0    1e6, 0.030, 0.00\n"
    "\n"
    "0.5\t500000\t0.045 0.01  # a lorry passes\r\n"
    "2.0  0 0.045 0";

TEST(ParseTrace, ReadsColumnsCommentsAndBlankLines) {
  const Trace trace = parse_trace(kText).value();
  ASSERT_EQ(trace.size(), 3U);
  EXPECT_EQ(trace[0], (TraceRow{Seconds(0), BitsPerSecond(1e6), Seconds(0.03), 0.0}));
  EXPECT_EQ(trace[1], (TraceRow{Seconds(0.5), BitsPerSecond(5e5), Seconds(0.045), 0.01}));
  EXPECT_EQ(trace[2], (TraceRow{Seconds(2), BitsPerSecond(0), Seconds(0.045), 0.0}));
  const Trace two = parse_trace("0 1000\n1 2000\n").value();
  EXPECT_EQ(two[1], (TraceRow{Seconds(1), BitsPerSecond(2000), std::nullopt, std::nullopt}));
}

void expect_refused(std::string_view text, std::string_view part_of_message) {
  const auto trace = parse_trace(text);
  ASSERT_FALSE(trace) << text;
  EXPECT_EQ(trace.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(trace.error().message.find(part_of_message), std::string::npos)
      << trace.error().message;
}

TEST(ParseTrace, NamesTheLineThatIsWrong) {
  expect_refused("", "no rows");
  expect_refused("# only a comment\n", "no rows");
  expect_refused("0\n", "line 1");
  expect_refused("1 1000\n", "must be 0");
  expect_refused("0 1000\n0 1000\n", "line 2 of the link trace: time_s must be later");
  expect_refused("0 1000\n1 1000 0.1\n", "3 columns, but the first row has 2");
  expect_refused("0 1000 0 0 0\n", "more than 4");
  expect_refused("\n0 fast\n", "line 2 of the link trace: rate_bps must be a number");
  for (const std::string_view bad : {"-1", "nan", "inf", "1e12", "1e400", "0x10", "1000bit"}) {
    expect_refused("0 " + std::string(bad), "rate_bps");
  }
  expect_refused("0 1000 61", "delay_s must be a number between 0 and 60");
  expect_refused("0 1000 0.1 0.6", "loss must be a number between 0 and 0.5");
  expect_refused("0 1000\n2000000 1000", "time_s must be a number");
}

TEST(ParseTrace, HasLimits) {
  EXPECT_EQ(parse_trace(std::string(kMaxTraceBytes + 1, '\n')).error().code,
            ErrorCode::kLimitExceeded);
  std::string rows;
  for (std::size_t i = 0; i <= kMaxTraceRows; ++i) {
    rows += std::to_string(i) + " 1\n";
  }
  EXPECT_EQ(parse_trace(rows).error().code, ErrorCode::kLimitExceeded);
}

TraceChannel channel_of(std::string_view text, std::optional<Seconds> repeat = std::nullopt) {
  return TraceChannel::create(parse_trace(text).value(), repeat).value();
}

TEST(TraceChannel, HoldsEachRowUntilTheNextAndTheLastForEver) {
  const TraceChannel channel = channel_of("0 1000 0.1\n1 0 0.2\n3 4000 0.3\n");
  EXPECT_EQ(channel.rate_at(Seconds(-1)), BitsPerSecond(1000));
  EXPECT_EQ(channel.rate_at(Seconds(0.999)), BitsPerSecond(1000));
  EXPECT_EQ(channel.state_at(Seconds(0.5)).until, Seconds(1));
  EXPECT_EQ(channel.state_at(Seconds(1)).delay, Seconds(0.2));
  EXPECT_EQ(channel.state_at(Seconds(1)).loss, std::nullopt);
  EXPECT_EQ(channel.rate_at(Seconds(1e5)), BitsPerSecond(4000));
  EXPECT_EQ(channel.state_at(Seconds(3)).until.value(), std::numeric_limits<double>::infinity());
  // 500 bits before the silence, 4000 after it.
  EXPECT_DOUBLE_EQ(transmit_end(channel, Seconds(0.5), Bits(4500)).value(), 4.0);
}

TEST(TraceChannel, StartsAgainWithRepeat) {
  const TraceChannel channel = channel_of("0 1000\n1 3000\n", Seconds(2));
  EXPECT_EQ(channel.rate_at(Seconds(2.5)), BitsPerSecond(1000));
  EXPECT_EQ(channel.rate_at(Seconds(5.5)), BitsPerSecond(3000));
  EXPECT_DOUBLE_EQ(channel.state_at(Seconds(5.5)).until.value(), 6.0);
  // 4000 bits every two seconds.
  EXPECT_NEAR(transmit_end(channel, Seconds(0), Bits(4e6)).value(), 2000.0, 1e-6);
}

TEST(TraceChannel, RefusesWhatWouldNeverDeliver) {
  const auto error = [](std::string_view text, std::optional<Seconds> repeat) {
    const auto channel = TraceChannel::create(parse_trace(text).value(), repeat);
    return channel ? std::string() : channel.error().message;
  };
  EXPECT_NE(error("0 1000\n5 0\n", std::nullopt).find("repeat it"), std::string::npos);
  EXPECT_EQ(error("0 5000\n1 0\n", Seconds(5)), "");
  EXPECT_NE(error("0 5000\n1 0\n", Seconds(5.1)).find("raise its rates"), std::string::npos);
  EXPECT_NE(error("0 5000\n1 5000\n", Seconds(1)).find("repeat later"), std::string::npos);
  EXPECT_FALSE(TraceChannel::create({}, std::nullopt));
  const TraceRow late{Seconds(1), BitsPerSecond(1e6), std::nullopt, std::nullopt};
  EXPECT_FALSE(TraceChannel::create({late}, std::nullopt));
}

}  // namespace
}  // namespace gelato::link
