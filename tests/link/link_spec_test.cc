#include "gelato/link/link_spec.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "gelato/base/rng.h"

namespace gelato::link {
namespace {

LinkSpec parse(std::string_view text) {
  auto spec = parse_link_spec(text);
  EXPECT_TRUE(spec) << text << ": " << (spec ? "" : spec.error().message);
  return spec.value_or(LinkSpec{});
}

std::string message(std::string_view text) {
  const auto spec = parse_link_spec(text);
  EXPECT_FALSE(spec) << text;
  return spec ? "" : spec.error().message;
}

void expect_refused(std::string_view text, std::string_view part, std::string_view why) {
  const std::string said = message(text);
  EXPECT_NE(said.find(fmt::format("\"{}\"", part)), std::string::npos) << said;
  EXPECT_NE(said.find(why), std::string::npos) << said;
}

TEST(LinkSpec, ReadsAConstantLink) {
  const LinkSpec spec = parse("rate=1mbit,delay=40ms,jitter=5ms,loss=1%");
  EXPECT_EQ(std::get<ConstantRate>(spec.up).rate, BitsPerSecond(1e6));
  EXPECT_EQ(spec.down, std::nullopt);
  EXPECT_EQ(spec.delay, Seconds(0.04));
  EXPECT_EQ(spec.jitter, Seconds(0.005));
  EXPECT_EQ(spec.loss, 0.01);
  EXPECT_EQ(spec.rto, Seconds(0.2));
  EXPECT_TRUE(spec.outages.empty());
}

TEST(LinkSpec, ReadsEachDirectionAndOutagesInAnyOrder) {
  const LinkSpec spec = parse("outage=2s@60s,down=20mbit,outage=10s@5s,up=1.5mbit");
  EXPECT_EQ(std::get<ConstantRate>(spec.up).rate, BitsPerSecond(1.5e6));
  EXPECT_EQ(spec.down, BitsPerSecond(2e7));
  EXPECT_EQ(spec.outages,
            (std::vector<Outage>{{Seconds(5), Seconds(10)}, {Seconds(60), Seconds(2)}}));
}

TEST(LinkSpec, ReadsATraceLink) {
  const LinkSpec spec = parse("trace=runs/bus=7.txt,repeat=600s,down=20mbit,rto=500ms");
  EXPECT_EQ(std::get<TraceReplay>(spec.up), (TraceReplay{"runs/bus=7.txt", Seconds(600)}));
  EXPECT_EQ(spec.down, BitsPerSecond(2e7));
  EXPECT_EQ(spec.rto, Seconds(0.5));
}

TEST(LinkSpec, ReadsARadioLink) {
  const LinkSpec spec = parse(
      "fading=none,bandwidth=180khz,power=-3dbm,distance=0.02km,carrier=28ghz,pathloss=inh-los,"
      "noise=-170dbm/hz,margin=6.5db,coherence=2ms,delay=10ms");
  Radio want;
  want.fading = Fading::kNone;
  want.bandwidth = Hertz(180e3);
  want.power_dbm = Decibels(-3);
  want.distance = Metres(20);
  want.carrier = Hertz(28e9);
  want.path_loss = PathLossModel::kInhLos;
  want.noise_dbm_hz = Decibels(-170);
  want.margin = Decibels(6.5);
  want.coherence = Seconds(0.002);
  EXPECT_EQ(std::get<Radio>(spec.up), want);
  EXPECT_EQ(std::get<Radio>(parse("fading=rayleigh,bandwidth=5mhz,power=23dbm,distance=100m").up),
            Radio{});
}

TEST(LinkSpec, PresetsCanBeChangedPartByPart) {
  EXPECT_EQ(parse("lte,loss=1%,delay=30ms"),
            parse("up=10mbit,down=30mbit,delay=30ms,jitter=10ms,loss=1%"));
  EXPECT_EQ(parse("lte,up=5mbit"), parse("up=5mbit,down=30mbit,delay=25ms,jitter=10ms"));
  EXPECT_EQ(parse("lte,rate=5mbit"), parse("rate=5mbit,delay=25ms,jitter=10ms"));
  EXPECT_EQ(parse("paper,down=20mbit").down, BitsPerSecond(2e7));
  expect_refused("paper,rate=1mbit", "fading=rayleigh", "does not go with rate=1mbit");
  expect_refused("lte,", "", "write KEY=VALUE");
  expect_refused("lte,wifi", "wifi", "begin with a preset");
}

TEST(LinkSpec, EveryPresetIsValidAndExplained) {
  const std::string help = link_preset_help();
  for (const std::string name : {"wifi", "lte", "nr", "lossy", "paper"}) {
    const LinkSpec spec = parse(name);
    EXPECT_EQ(parse(to_string(spec)), spec);
    EXPECT_NE(help.find(name + " "), std::string::npos);
  }
}

TEST(LinkSpec, QuotesThePartThatIsWrong) {
  expect_refused("", "", "write KEY=VALUE");
  expect_refused("rate=1mbit,delay", "delay", "write KEY=VALUE");
  expect_refused("rate=1mbit,delai=3ms", "delai=3ms", "the keys are rate, up,");
  expect_refused("rate=1mbit, delay=3ms", " delay=3ms", "no such key");
  expect_refused("rate=1mbit,=3ms", "=3ms", "no such key");
  expect_refused("rate=1mbit,rate=2mbit", "rate=2mbit", "given twice");
  expect_refused("rate=1mbit,up=2mbit", "up=2mbit", "does not go with rate=1mbit");
  expect_refused("rate=1mbit,down=2mbit", "down=2mbit", "does not go with rate=1mbit");
  expect_refused("rate=1mbit,bandwidth=1mhz", "bandwidth=1mhz", "does not go with rate=1mbit");
  expect_refused("trace=a,fading=none", "fading=none", "does not go with trace=a");
  EXPECT_NE(message("delay=3ms").find("names no rate"), std::string::npos);
  EXPECT_NE(message("up=1mbit").find("needs down="), std::string::npos);
  EXPECT_NE(message("fading=none,bandwidth=1mhz,power=1dbm").find("needs distance="),
            std::string::npos);
  expect_refused("trace=", "trace=", "name of a trace file");
  expect_refused("fading=rician", "fading=rician", "rayleigh or none");
  expect_refused("paper,pathloss=uma", "pathloss=uma", "umi-los");
  EXPECT_NE(message("paper,distance=5m").find("10 m to 5 km"), std::string::npos);
  EXPECT_NE(message("paper,power=-40dbm,distance=5km").find("raise the power"), std::string::npos);
}

TEST(LinkSpec, WantsUnitsAndPlainNumbersInRange) {
  for (const std::string bad :
       {"1", "mbit", "1mbps", "1Mbit", "1 mbit", "1e6bit", "+1mbit", "1.mbit", ".5mbit", "1..5mbit",
        "nanbit", "infbit", "0x1mbit", "--1mbit", "1234567890123456789012345678901234bit"}) {
    expect_refused("rate=" + bad, "rate=" + bad, "write a number with gbit, mbit, kbit or bit");
  }
  expect_refused("rate=999bit", "rate=999bit", "between 1kbit and 100gbit");
  expect_refused("rate=-1mbit", "rate=-1mbit", "between 1kbit and 100gbit");
  expect_refused("rate=1mbit,loss=50.1%", "loss=50.1%", "between 0% and 50%");
  expect_refused("rate=1mbit,delay=61s", "delay=61s", "between 0s and 60s");
  expect_refused("rate=1mbit,rto=0ms", "rto=0ms", "between 1ms and 60s");
  expect_refused("paper,noise=-174dbm", "noise=-174dbm", "dbm/hz");
}

TEST(LinkSpec, OutagesAreDisjointAndLast) {
  expect_refused("wifi,outage=10s", "outage=10s", "DURATION@BEGIN");
  expect_refused("wifi,outage=10@5s", "outage=10@5s", "write a number with s, ms or us");
  expect_refused("wifi,outage=0s@5s", "outage=0s@5s", "longer than 0s");
  expect_refused("wifi,outage=1s@90000s", "outage=1s@90000s", "between 0s and 86400s");
  EXPECT_NE(message("wifi,outage=1s@9s,outage=5s@5s").find("overlap, the first from 5s"),
            std::string::npos);
  EXPECT_EQ(parse("wifi,outage=4s@5s,outage=1s@9s").outages.size(), 2U);
}

TEST(LinkSpec, HasLimits) {
  EXPECT_EQ(parse_link_spec(std::string(kMaxLinkSpecBytes + 1, 'a')).error().code,
            ErrorCode::kLimitExceeded);
  std::string text = "wifi";
  for (std::size_t i = 0; i <= kMaxOutages; ++i) {
    EXPECT_TRUE(parse_link_spec(text)) << i;
    text += ",outage=1s@" + std::to_string(10 * i) + "s";
  }
  EXPECT_EQ(parse_link_spec(text).error().code, ErrorCode::kLimitExceeded);
}

TEST(LinkSpec, MessagesStayShortAndPrintable) {
  const std::string said =
      message(fmt::format("wifi,{}{}", std::string_view("\x1b[31m\n\0", 7), std::string(500, 'x')));
  EXPECT_LT(said.size(), 300U);
  for (const char c : said) {
    EXPECT_TRUE(c >= ' ' && c <= '~') << static_cast<int>(c);
  }
}

TEST(LinkSpec, PrintsTheShortestTextThatReadsBack) {
  constexpr std::string_view kRadio =
      "fading=none,bandwidth=180khz,power=-3dbm,distance=20m,carrier=28ghz,pathloss=inh-los,"
      "noise=-170dbm/hz,margin=0db,coherence=2ms";
  for (const std::string_view text :
       {std::string_view("rate=1mbit"),
        std::string_view("rate=1.5mbit,delay=40ms,jitter=250us,loss=0.1%,rto=1s,outage=10s@5s"),
        std::string_view("up=64kbit,down=2gbit"),
        std::string_view("trace=a.txt,repeat=1.5s,down=20mbit"), kRadio}) {
    EXPECT_EQ(to_string(parse(text)), text);
  }
}

TEST(LinkSpec, MessagesStayReadableWhateverTheParts) {
  const std::string file = "trace=" + std::string(2000, '\x01');
  const auto refused = parse_link_spec(file + ",rate=" + std::string(2000, '9'));
  ASSERT_FALSE(refused);
  EXPECT_LT(refused.error().message.size(), 400U);
  EXPECT_EQ(refused.error().message.find('\x01'), std::string::npos);
}

// Any double survives, whatever its digits.
TEST(LinkSpec, RoundTripsEveryNumber) {
  Rng rng(1, "round trip");
  for (int i = 0; i < 2000; ++i) {
    LinkSpec spec;
    spec.up = ConstantRate{BitsPerSecond(1e3 + 1e9 * rng.uniform())};
    spec.down = BitsPerSecond(1e3 * std::exp(18.0 * rng.uniform()));
    spec.delay = Seconds(std::exp(-20.0 * rng.uniform()));
    spec.loss = 0.5 * rng.uniform();
    EXPECT_EQ(parse(to_string(spec)), spec) << to_string(spec);
  }
}

TEST(LinkSpec, WhatWasBuiltByHandIsHeldToTheSameLimits) {
  LinkSpec spec;
  EXPECT_EQ(parse(to_string(spec)), spec);
  spec.delay = Seconds(std::numeric_limits<double>::quiet_NaN());
  EXPECT_FALSE(parse_link_spec(to_string(spec)));
  spec.delay = Seconds(-1);
  EXPECT_FALSE(parse_link_spec(to_string(spec)));
  spec.delay = Seconds(std::numeric_limits<double>::infinity());
  EXPECT_FALSE(parse_link_spec(to_string(spec)));
  spec.delay = Seconds(1e-300);
  EXPECT_FALSE(parse_link_spec(to_string(spec)));
}

}  // namespace
}  // namespace gelato::link
