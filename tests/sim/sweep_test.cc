#include "gelato/sim/sweep.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "gelato/sim/sweep_state.h"

namespace gelato::sim {
namespace {

using ::testing::HasSubstr;

constexpr const char* kText = R"(schema = 1
trace = "entropy:0.35,0.5"
rounds = 60
seeds = 2
record_rounds = 5
policies = [
  "static:7",
  { policy = "static:{1,4,9}", label = "tuned", tune = "tokens_per_s" },
  { policy = "static:{1,4,9}", label = "thrifty", tune = "joules_per_token" },
  "gelato-paper", "goodput", "oracle:1",
]
[link]
fading = "rayleigh"
bandwidth = "5mhz"
power = "23dbm"
distance = "200m"
delay = "10ms"
loss = "1%"
[[sweep]]
link.bandwidth = ["1mhz", "10mhz"]
edge.pass_s = [0.04, 0.1]
)";

const Scenario& scenario() {
  static const Scenario parsed =
      parse_scenario(kText, "s.toml", ".", {.profiles = "assets/profiles", .traces = "."},
                     {.seed = 3, .shortened = false})
          .value();
  return parsed;
}

// Every bit of every row.
std::string text_of(const std::vector<Row>& rows) {
  std::string text;
  for (const Row& row : rows) {
    text += state_line(row);
  }
  return text;
}

std::vector<Row> sweep(unsigned threads, std::vector<Row> done = {}) {
  return run_sweep(scenario(),
                   {.seed = 3, .threads = threads, .on_row = {}, .done = std::move(done)})
      .value();
}

const std::vector<Row>& whole() {
  static const std::vector<Row> rows = sweep(1);
  return rows;
}

TEST(Sweep, RowsComeInOrderOfCellsAndEntries) {
  ASSERT_EQ(whole().size(), 24U);
  for (std::size_t i = 0; i < whole().size(); ++i) {
    EXPECT_EQ(whole()[i].cell, i / 6);
    EXPECT_EQ(whole()[i].entry, i % 6);
    EXPECT_EQ(whole()[i].runs.size(), 2U);
    EXPECT_EQ(whole()[i].rounds.size(), i % 6 == 5 ? 0U : 5U);  // the oracle has many runs
  }
}

TEST(Sweep, ThreadsDoNotShow) { EXPECT_EQ(text_of(sweep(4)), text_of(whole())); }

TEST(Sweep, InterruptedAndResumedEqualsUninterrupted) {
  std::string state = state_head(scenario(), "test");
  int rows = 0;
  const auto broken = run_sweep(scenario(), {.seed = 3,
                                             .threads = 2,
                                             .on_row =
                                                 [&](const Row& row) {
                                                   state += state_line(row);
                                                   return ++rows < 7;
                                                 },
                                             .done = {}});
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code, ErrorCode::kCancelled);
  state += "0 1 sta";  // cut off in the middle
  auto done = parse_state(state, scenario(), "test");
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_GE(done->size(), 7U);
  EXPECT_LT(done->size(), 24U);
  EXPECT_EQ(text_of(sweep(2, *std::move(done))), text_of(whole()));
}

TEST(Sweep, TuningPicksTheBestCandidate) {
  for (std::size_t cell = 0; cell < 4; ++cell) {
    const Row& tuned = whole()[cell * 6 + 1];
    const Row& thrifty = whole()[cell * 6 + 2];
    const Accounting full = Accounting::kFull;
    EXPECT_GE(tuned.tokens_per_second(full), thrifty.tokens_per_second(full));
    EXPECT_LE(thrifty.joules_per_token(full), tuned.joules_per_token(full));
    EXPECT_THAT(tuned.policy, HasSubstr("static:"));
  }
}

TEST(Sweep, NobodyBeatsTheClairvoyant) {
  for (std::size_t cell = 0; cell < 4; ++cell) {
    const double bound = whole()[cell * 6 + 5].tokens_per_second(Accounting::kFull);
    for (std::size_t entry = 0; entry < 5; ++entry) {
      EXPECT_LT(whole()[cell * 6 + entry].tokens_per_second(Accounting::kFull), bound);
    }
  }
}

TEST(Sweep, TheoremIsCheckedOnThePapersPolicy) {
  for (const Row& row : whole()) {
    EXPECT_EQ(row.theorem.has_value(), row.entry == 3);
  }
}

TEST(Sweep, StateOfAnotherScenarioIsRefused) {
  const std::string head = state_head(scenario(), "test");
  EXPECT_TRUE(parse_state(head, scenario(), "test"));
  EXPECT_EQ(parse_state(head, scenario(), "other").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(parse_state("", scenario(), "test").error().code, ErrorCode::kInvalidArgument);
  for (const char* line : {"0 0 static:7 0 1 2\n", "9 0 static:7 0\n", "\n", "x\n"}) {
    const auto state = parse_state(head + line, scenario(), "test");
    ASSERT_FALSE(state) << line;
    EXPECT_THAT(state.error().message, HasSubstr("line 2"));
  }
}

TEST(Sweep, FleetSumsItsDevices) {
  RunResult run;
  run.devices.resize(2);
  run.devices[0].tokens = 100;
  run.devices[0].elapsed = Seconds(10);
  run.devices[1].tokens = 300;
  run.devices[1].elapsed = Seconds(10);
  const RunSummary summary = summarise(run);
  EXPECT_DOUBLE_EQ(summary.rate, 40.0);
  EXPECT_DOUBLE_EQ(summary.slowest, 10.0);
  EXPECT_DOUBLE_EQ(summary.fairness, 1600.0 / (2.0 * 1000.0));
}

}  // namespace
}  // namespace gelato::sim
