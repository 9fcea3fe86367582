#include "gelato/sim/scenario.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/temp_dir.h"

namespace gelato::sim {
namespace {

using gelato::testing::TempDir;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

void write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

const ScenarioPlaces kPlaces{.profiles = "assets/profiles", .traces = "assets/traces"};

constexpr const char* kGood = R"(schema = 1
trace = "iid:0.8"
rounds = 100
policies = ["static:7", "gelato-paper"]
[link]
rate = "1mbit"
delay = "20ms"
[edge]
pass_s = 0.1
)";

Result<Scenario> parse(const std::string& text, bool shortened = false) {
  return parse_scenario(text, "s.toml", "tests/sim", kPlaces, {.seed = 1, .shortened = shortened});
}

// The message for kGood with `from` replaced by `to`.
std::string message(const std::string& from, const std::string& to) {
  std::string text = kGood;
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos);
  text.replace(at, from.size(), to);
  const auto scenario = parse(text);
  if (scenario) {
    return "it was accepted";
  }
  return scenario.error().message;
}

TEST(Scenario, ReadsSettings) {
  const auto scenario = parse(kGood);
  ASSERT_TRUE(scenario) << scenario.error().message;
  ASSERT_EQ(scenario->cells.size(), 1U);
  const Setting& setting = scenario->cells[0].setting;
  EXPECT_EQ(setting.rounds, 100U);
  EXPECT_EQ(setting.edge.time(5), milliseconds(100));
  EXPECT_EQ(setting.link.delay, milliseconds(20));
  EXPECT_EQ(setting.profile.name, "paper");
  EXPECT_EQ(setting.wire.index, Bits(18));  // of 151 936 tokens
  EXPECT_TRUE(scenario->synthetic);
  EXPECT_THAT(scenario->cells[0].candidates[0], ElementsAre("static:7"));
}

TEST(Scenario, ReadsASuddenChange) {
  const auto scenario =
      parse(std::string(kGood) + "[change]\nround = 40\nlink.rate = \"100kbit\"\n");
  ASSERT_TRUE(scenario) << scenario.error().message;
  const Setting& setting = scenario->cells[0].setting;
  EXPECT_EQ(setting.change_round, 40U);
  ASSERT_NE(setting.changed, nullptr);
  EXPECT_EQ(setting.changed->edge.time(1), setting.edge.time(1));
  EXPECT_NE(to_string(setting.changed->link), to_string(setting.link));
  const auto never = parse(std::string(kGood) + "[change]\nlink.rate = \"100kbit\"\n");
  ASSERT_FALSE(never);
  EXPECT_THAT(never.error().message, HasSubstr("change.FIELD needs change.round"));
  const auto unknown = parse(std::string(kGood) + "[change]\nround = 4\ncolour = 7\n");
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, HasSubstr("change.colour"));
}

TEST(Scenario, SweepsAreProductsOneAfterTheOther) {
  const auto scenario = parse(std::string(kGood) + R"(
[[sweep]]
link.rate = ["1mbit", "2mbit"]
edge.pass_s = [0.05, 0.1, 0.2]
[[sweep]]
"draft.token_s" = [0.002]
)");
  ASSERT_TRUE(scenario) << scenario.error().message;
  ASSERT_EQ(scenario->cells.size(), 7U);
  EXPECT_EQ(scenario->cells[5].setting.edge.time(1), Seconds(0.2));
  EXPECT_EQ(to_string(scenario->cells[5].swept[1].second), "2mbit");
  EXPECT_EQ(scenario->cells[6].setting.profile.draft_token, Seconds(0.002));
  EXPECT_EQ(scenario->cells[6].setting.edge.time(1), Seconds(0.1));
}

TEST(Scenario, BracesStandForSeveralPoliciesAndForFields) {
  const auto scenario = parse(R"(schema = 1
trace = "iid:0.8"
link = "rate=1mbit"
policies = [
  { policy = "p-min:{0.3,0.5},{4,8}", label = "p-min tuned", tune = "tokens_per_s" },
  "gelato-paper:budget={budget.joules_per_round}",
]
[[sweep]]
budget.joules_per_round = [0.5, 1.25]
)");
  ASSERT_TRUE(scenario) << scenario.error().message;
  EXPECT_THAT(scenario->cells[0].candidates[0],
              ElementsAre("p-min:0.3,4", "p-min:0.3,8", "p-min:0.5,4", "p-min:0.5,8"));
  EXPECT_THAT(scenario->cells[1].candidates[1], ElementsAre("gelato-paper:budget=1.25"));
}

TEST(Scenario, ShortTableReplaces) {
  const std::string text = std::string(kGood) + R"(
[[sweep]]
edge.pass_s = [0.05, 0.1, 0.2]
[short]
rounds = 7
[[short.sweep]]
edge.pass_s = [0.3]
)";
  EXPECT_EQ(parse(text)->cells.size(), 3U);
  const auto brief = parse(text, true);
  ASSERT_TRUE(brief) << brief.error().message;
  ASSERT_EQ(brief->cells.size(), 1U);
  EXPECT_EQ(brief->cells[0].setting.rounds, 7U);
  EXPECT_EQ(brief->cells[0].setting.edge.time(1), Seconds(0.3));
  EXPECT_NE(brief->fingerprint, parse(text)->fingerprint);
}

TEST(Scenario, MessagesNameFileLineAndRemedy) {
  EXPECT_THAT(message("pass_s", "pass_ms"),
              AllOf(StartsWith("s.toml:9: unknown key 'edge.pass_ms'"), HasSubstr("edge.pass_s")));
  EXPECT_THAT(message("rounds", "round"),
              AllOf(StartsWith("s.toml:3: unknown key 'round'"), HasSubstr("rounds")));
  EXPECT_THAT(message("\"1mbit\"", "\"1mb\""), StartsWith("s.toml:6: link: "));
  EXPECT_THAT(message("\"1mbit\"", "\"-1mbit\""), StartsWith("s.toml:6: link: "));
  EXPECT_THAT(message("\"20ms\"", "20"), AllOf(StartsWith("s.toml:7: "), HasSubstr("unit")));
  EXPECT_THAT(message("0.1", "-0.1"),
              AllOf(StartsWith("s.toml:9: "), HasSubstr("a number above 0 and at most 60")));
  EXPECT_THAT(message("0.1", "nan"), StartsWith("s.toml:9: "));
  EXPECT_THAT(message("100", "1.5"), AllOf(StartsWith("s.toml:3: "), HasSubstr("whole number")));
  EXPECT_THAT(message("iid:0.8", "iid:1.8"), AllOf(StartsWith("s.toml:2: "), HasSubstr("0 to 1")));
  EXPECT_THAT(message("iid:0.8", "missing.trace"),
              AllOf(StartsWith("s.toml:2: trace: there is no "), HasSubstr("missing.trace"),
                    HasSubstr("gelato trace record")));
  EXPECT_THAT(message("trace = \"iid:0.8\"", ""), HasSubstr("there is no trace"));
}

TEST(Scenario, MessagesAboutPoliciesAndSweepsToo) {
  EXPECT_THAT(message("static:7", "statik:7"),
              AllOf(StartsWith("s.toml:4: "), HasSubstr("did you mean static")));
  EXPECT_THAT(message("static:7", "static:{3,5}"), HasSubstr("needs tune"));
  EXPECT_THAT(message("static:7", "static:{nothing}"), HasSubstr("no field of this scenario"));
  EXPECT_THAT(message("static:7", "static:{3"), HasSubstr("not closed"));
  EXPECT_THAT(message("schema = 1", "schema = 2"), StartsWith("s.toml:1: "));
  EXPECT_THAT(message("[edge]", "[edge"), StartsWith("s.toml:8: "));
  EXPECT_THAT(message("pass_s = 0.1", "curve_s = [0.2, 0.1]"), StartsWith("s.toml:9: "));
  EXPECT_THAT(message("pass_s = 0.1", "pass_s = 0.1\ncurve_s = [0.2]"), HasSubstr("one curve"));
  EXPECT_THAT(message("pass_s = 0.1", "pass_s = 0.1\n[[sweep]]\nseeds = [1]"),
              AllOf(StartsWith("s.toml:11: "), HasSubstr("cannot be swept")));
  EXPECT_THAT(message("pass_s = 0.1", "pass_s = 0.1\n[[sweep]]\nedge.pass_s = [0.1, -2]"),
              StartsWith("s.toml:11: "));
  EXPECT_THAT(message("rounds = 100", "profile = \"nokia\""),
              AllOf(StartsWith("s.toml:3: "), HasSubstr("there is no device profile")));
  EXPECT_THAT(message("rounds = 100", "accounting = \"cheap\""),
              HasSubstr("\"full\" or \"paper\""));
}

TEST(Scenario, DamagedTraceIsNamed) {
  const TempDir folder;
  write(folder.path() / "bad.trace", "geltrace and then nothing");
  std::string text = kGood;
  text.replace(text.find("iid:0.8"), 7, "bad.trace");
  const auto scenario =
      parse_scenario(text, "s.toml", folder.path(), kPlaces, {.seed = 0, .shortened = false});
  ASSERT_FALSE(scenario);
  EXPECT_THAT(scenario.error().message,
              AllOf(StartsWith("s.toml:2: trace: "), HasSubstr("bad.trace")));
}

TEST(Scenario, FolderMeansItsScenario) {
  const TempDir folder;
  write(folder.path() / "scenario.toml", kGood);
  const auto scenario = load_scenario(folder.path(), kPlaces, {.seed = 0, .shortened = false});
  ASSERT_TRUE(scenario) << scenario.error().message;
  EXPECT_EQ(scenario->name, folder.path().filename().string());
  EXPECT_EQ(load_scenario(folder.path() / "none", kPlaces, {}).error().code, ErrorCode::kNotFound);
}

TEST(Scenario, LimitsCellsAndCandidates) {
  std::string many = "edge.pass_s = [0.1";
  for (int i = 0; i < 110; ++i) {
    many += ", 0.1";
  }
  EXPECT_THAT(message("pass_s = 0.1", "pass_s = 0.1\n[[sweep]]\n" + many + "]\nedge.token_s" +
                                          many.substr(11) + "]"),
              HasSubstr("more than 10000 cells"));
  std::string braces = "p-min:0.{1";
  for (int i = 0; i < 300; ++i) {
    braces += ",1";
  }
  EXPECT_THAT(message("static:7", braces + "}"), HasSubstr("more than 256 policies"));
}

}  // namespace
}  // namespace gelato::sim
