#include "gelato/energy/device_profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "tests/energy/sysfs_tree.h"

namespace gelato::energy {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// Tests run in the repository's root.
constexpr const char* kShipped = "assets/profiles";

constexpr std::string_view kGood = R"(schema = 1
name = "test-1"
description = "A device"

[draft]
model = "none"
token_s = { value = 0.02, source = "measured" }
token_per_context_s = { value = 0, source = "measured" }
power_w = { value = 5, source = "guess", estimate = true }

[radio]
radiated_dbm = { value = 20.0, source = "data sheet" }
amplifier_efficiency = { value = 0.25, source = "data sheet" }
tx_circuit_w = { value = 0.5, source = "data sheet" }
rx_circuit_w = { value = 0.3, source = "data sheet" }

[device]
idle_w = { value = 1, source = "measured" }
)";

// kGood with the first `from` replaced.
std::string changed(std::string_view from, std::string_view to) {
  std::string text(kGood);
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(DeviceProfile, ReadsEveryNumberAndItsSource) {
  const auto p = parse_profile(kGood, "test.toml").value();
  EXPECT_EQ(p.name, "test-1");
  EXPECT_EQ(p.description, "A device");
  EXPECT_EQ(p.draft_model, "none");
  EXPECT_EQ(p.draft_token, Seconds(0.02));
  EXPECT_EQ(p.draft_power, Watts(5));
  EXPECT_NEAR(p.radiated.value(), 0.1, 1e-12);
  EXPECT_NEAR(p.tx_power().value(), 1.0 + 0.5 + 0.4, 1e-12);
  EXPECT_NEAR(p.rx_power().value(), 1.3, 1e-12);
  EXPECT_EQ(p.wait_power(), Watts(1));
  ASSERT_EQ(p.citations.size(), 8U);
  EXPECT_EQ(p.citations[2].key, "draft.power_w");
  EXPECT_EQ(p.citations[2].value, 5.0);
  EXPECT_EQ(p.citations[2].source, "guess");
  EXPECT_TRUE(p.citations[2].estimate);
  EXPECT_FALSE(p.citations[3].estimate);
}

struct Bad {
  std::string_view from;
  std::string_view to;
  std::string_view message;  // starts with the place
};

TEST(DeviceProfile, SaysFileAndLineOfEveryMistake) {
  const Bad cases[] = {
      {"name = ", "name ", "p.toml:2: "},
      {"schema = 1", "schema = 0", "p.toml:1: schema must be"},
      {"schema = 1", "schema = \"1\"", "p.toml:1: schema must be"},
      {"schema = 1\n", "", "p.toml:1: the profile lacks 'schema'"},
      {"\"test-1\"", "\"Test 1\"", "p.toml:2: 'name' may have only"},
      {"\"test-1\"", "\"\"", "p.toml:2: 'name' must be a text"},
      {"description", "descripton", "p.toml:3: unknown key 'descripton' in the profile"},
      {"model = \"none\"\n", "", "p.toml:5: [draft] lacks 'model'"},
      {"model = \"none\"", "model = 3", "p.toml:6: 'model' must be a text"},
      {"value = 0.02", "value = 0", "p.toml:7: draft.token_s must be a number above 0"},
      {"value = 0.02", "value = -0.02", "p.toml:7: draft.token_s must be"},
      {"value = 0.02", "value = nan", "p.toml:7: draft.token_s must be"},
      {"value = 0.02", "value = inf", "p.toml:7: draft.token_s must be"},
      {"value = 0.02", "value = 20e3", "p.toml:7: draft.token_s must be"},
      {"value = 0.02", "value = \"20 ms\"", "p.toml:7: draft.token_s must be"},
      {"value = 0.02", "value = true", "p.toml:7: draft.token_s must be"},
      {"value = 0.02, ", "", "p.toml:7: draft.token_s lacks 'value'"},
      {"source = \"measured\"", "sauce = \"measured\"", "p.toml:7: unknown key 'sauce'"},
      {"source = \"measured\"", "source = \"\"", "p.toml:7: 'source' must be a text"},
      {"{ value = 0.02, source = \"measured\" }", "0.02", "p.toml:7: 'token_s' must be a table"},
      {"estimate = true", "estimate = 1", "p.toml:9: draft.power_w: 'estimate' must be"},
      {"value = 20.0", "value = 200.0", "p.toml:12: radio.radiated_dbm must be a number from -30"},
      {"value = 0.25", "value = 25", "p.toml:13: radio.amplifier_efficiency must be"},
      {"value = 0.25", "value = 0", "p.toml:13: radio.amplifier_efficiency must be"},
      {"value = 0.3", "value = -0.3", "p.toml:15: radio.rx_circuit_w must be"},
      {"[device]", "[devices]", "p.toml:17: unknown key 'devices'"},
      {"value = 1,", "value = 6,", "p.toml:17: device.idle_w is above draft.power_w"},
      {"[radio]", "[[radio]]", "p.toml:11: 'radio' must be a table"},
  };
  for (const auto& bad : cases) {
    const auto p = parse_profile(changed(bad.from, bad.to), "p.toml");
    ASSERT_FALSE(p.has_value()) << bad.to;
    EXPECT_EQ(p.error().code, ErrorCode::kCorrupt) << bad.to;
    EXPECT_THAT(p.error().message, StartsWith(std::string(bad.message)));
  }
}

TEST(DeviceProfile, RefusesANewerSchemaAndTextWithoutEnd) {
  EXPECT_EQ(parse_profile(changed("schema = 1", "schema = 2"), "p").error().code,
            ErrorCode::kUnsupported);
  EXPECT_EQ(parse_profile(std::string(kMaxProfileBytes + 1, '#'), "p").error().code,
            ErrorCode::kLimitExceeded);
  EXPECT_FALSE(parse_profile("", "p").has_value());
  EXPECT_FALSE(parse_profile(std::string(kMaxProfileBytes, '['), "p").has_value());
  const std::string name(kMaxProfileName + 1, 'a');
  EXPECT_FALSE(parse_profile(changed("test-1", name), "p").has_value());
}

TEST(DeviceProfile, KeepsItsMessagesOnOneLineWhateverTheKey) {
  const auto p = parse_profile(std::string(kGood) + "\"a\\n\\u001b[2J\" = 1\n", "p");
  ASSERT_FALSE(p.has_value());
  EXPECT_THAT(p.error().message, HasSubstr("'a??[2J'"));
}

// GELATO (arXiv 2605.10124) eq. (1) with the settings of its evaluation.
Seconds paper_draft_time(double context, double gamma) {
  const double n = 24;
  const double d = 896;
  const double d_f = 4864;
  const double flop =
      n * gamma * (6 * d * d + 4 * (context + gamma / 2) * d + 2 * d * d + 4 * d * d_f);
  return Seconds(flop / 40e9);
}

TEST(ShippedProfiles, PaperIsThePapersDevice) {
  const auto paper = find_profile("paper", kShipped).value();
  for (const std::uint32_t context : {0U, 1U, 300U, 4096U}) {
    for (const std::uint32_t gamma : {1U, 7U, 15U}) {
      EXPECT_NEAR(paper.draft_time(context, gamma) / paper_draft_time(context, gamma), 1.0, 1e-12);
    }
  }
  EXPECT_EQ(paper.draft_time(300, 0), Seconds(0));
  // The published figures: at L = 300 a token costs 15.0 ms and 0.180 J.
  EXPECT_NEAR(paper.draft_time(300, 1).value(), 0.0150, 0.00005);
  EXPECT_NEAR((paper.draft_power * paper.draft_time(300, 1)).value(), 0.180, 0.0005);
  // gamma 7, 100 ms at the edge, a free uplink and an acceptance rate of 0.9: 27.8 tokens/s and
  // 0.221 J per token.
  const Seconds drafting = paper.draft_time(300, 7);
  const double tokens = (1 - std::pow(0.9, 8)) / (1 - 0.9);
  EXPECT_NEAR(tokens / (drafting.value() + 0.1), 27.8, 0.05);
  EXPECT_NEAR((paper.draft_power * drafting).value() / tokens, 0.221, 0.0005);
  // 23 dBm, and nothing for receiving and waiting.
  EXPECT_NEAR(paper.tx_power().value(), 0.19953, 1e-5);
  EXPECT_EQ(paper.rx_power(), Watts(0));
  EXPECT_EQ(paper.wait_power(), Watts(0));
}

TEST(ShippedProfiles, AllParseUnderTheirNamesAndAreOrderedSensibly) {
  for (const char* name : {"phone", "jetson-orin-nano", "raspberry-pi-5"}) {
    const auto p = find_profile(name, kShipped);
    ASSERT_TRUE(p.has_value()) << p.error().message;
    EXPECT_EQ(p->name, name);
    EXPECT_GT(p->tx_power(), p->rx_power());
    EXPECT_GT(p->rx_power(), p->wait_power());
    EXPECT_GT(p->draft_power, p->wait_power());
    EXPECT_GT(p->draft_time(4096, 1), p->draft_time(0, 1));
  }
}

TEST(FindProfile, TakesANameOrAPath) {
  const auto by_path = find_profile(std::string(kShipped) + "/phone.toml", "nowhere");
  EXPECT_EQ(by_path.value().name, "phone");

  const auto missing = find_profile("watch", kShipped);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().message, HasSubstr("jetson-orin-nano, paper, phone, raspberry-pi-5"));
  EXPECT_EQ(find_profile("..", kShipped).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(find_profile("", kShipped).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(find_profile("nowhere/phone.toml", kShipped).error().code, ErrorCode::kUnavailable);

  const SysfsTree directory;
  directory.write("other.toml", kGood);
  EXPECT_EQ(find_profile("other", directory.root()).error().code, ErrorCode::kCorrupt);
  directory.write("test-1.toml", kGood);
  EXPECT_EQ(find_profile("test-1", directory.root()).value().name, "test-1");
}

TEST(DeviceProfile, WhatIsWrittenReadsBackAsTheSame) {
  for (const char* name : {"paper", "phone", "jetson-orin-nano", "raspberry-pi-5"}) {
    auto profile = find_profile(name, kShipped).value();
    profile.description = "a \"quoted\" \\ text\nof two lines";
    const auto back = parse_profile(to_toml(profile), "written");
    ASSERT_TRUE(back.has_value()) << back.error().message;
    EXPECT_EQ(back->name, profile.name);
    EXPECT_EQ(back->description, profile.description);
    EXPECT_EQ(back->draft_model, profile.draft_model);
    EXPECT_EQ(back->draft_token, profile.draft_token);
    EXPECT_EQ(back->radiated, profile.radiated);
    EXPECT_EQ(back->idle, profile.idle);
    ASSERT_EQ(back->citations.size(), profile.citations.size());
    for (std::size_t i = 0; i < back->citations.size(); ++i) {
      EXPECT_EQ(back->citations[i].value, profile.citations[i].value);
      EXPECT_EQ(back->citations[i].source, profile.citations[i].source);
      EXPECT_EQ(back->citations[i].estimate, profile.citations[i].estimate);
    }
  }
}

}  // namespace
}  // namespace gelato::energy
