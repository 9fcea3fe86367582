#include "gelato/comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <csignal>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "gelato/cli.h"
#include "gelato/comparison_report.h"

namespace gelato::cli {
namespace {

using ::testing::DoubleEq;
using ::testing::HasSubstr;

// Writes a round of `committed` tokens in `seconds`, and notes its turn.
class FakeContender final : public Contender {
 public:
  FakeContender(std::string label, std::string& turns) : label_(std::move(label)), turns_(&turns) {}

  [[nodiscard]] std::string label() const override { return label_; }
  Result<Generation> generate(const std::string& prompt) override {
    *turns_ += label_ + prompt + ' ';
    if (--until_interrupt_ == 0) {
      (void)std::raise(SIGINT);
    }
    return Generation{.cost = cost_, .text = prompt, .tokens = {1, 2}};
  }
  FakeContender& costing(const Measurement& cost) {
    cost_ = cost;
    return *this;
  }
  FakeContender& interrupting_at(int call) {
    until_interrupt_ = call;
    return *this;
  }

 private:
  std::string label_;
  std::string* turns_;
  Measurement cost_;
  int until_interrupt_ = 0;
};

Measurement alone_cost() {
  return {.tokens = 10,
          .rounds = 10,
          .total = Seconds(1.1),
          .prefill = Seconds(0.1),
          .verifying = Seconds(1.0),
          .decode = Seconds(0.99)};
}

// Two rounds of four drafted tokens, three of them accepted.
Measurement draft_cost() {
  return {.tokens = 8,
          .rounds = 2,
          .drafted = 8,
          .accepted = 6,
          .total = Seconds(0.5),
          .prefill = Seconds(0.1),
          .drafting = Seconds(0.16),
          .verifying = Seconds(0.24),
          .decode = Seconds(0.4)};
}

TEST(Measurements, AddUpAndDivide) {
  Measurement sum = alone_cost();
  sum += draft_cost();
  EXPECT_EQ(sum.tokens, 18U);
  EXPECT_DOUBLE_EQ(sum.tokens_per_s(), 18 / 1.6);
  EXPECT_DOUBLE_EQ(sum.decode_tokens_per_s(), 18 / 1.4);
  EXPECT_DOUBLE_EQ(sum.acceptance_rate(), 0.75);
  EXPECT_DOUBLE_EQ(sum.mean_committed(), 1.5);
  EXPECT_DOUBLE_EQ(sum.passes_per_token(), 12.0 / 18);
  EXPECT_NEAR(sum.outside_decode(), 1 - 1.39 / 1.6, 1e-12);
}

TEST(Measurements, WhatIsNotKnownIsNotANumber) {
  const Measurement nothing;
  EXPECT_TRUE(std::isnan(nothing.tokens_per_s()));
  EXPECT_TRUE(std::isnan(nothing.acceptance_rate()));
  Measurement sum = alone_cost();
  sum += Measurement{.tokens = 1};  // from a program that does not say where its time goes
  EXPECT_TRUE(std::isnan(sum.outside_decode()));
}

TEST(Compare, ContendersTakeTurnsPromptByPrompt) {
  std::string turns;
  FakeContender a("a", turns);
  FakeContender b("b", turns);
  a.costing(alone_cost());
  b.costing(draft_cost());
  const std::vector<Contender*> contenders = {&a, &b};
  const ComparisonPlan plan{.prompts = {"1", "2"}, .repetitions = 2};
  std::uint64_t steps = 0;
  const auto rows = compare(contenders, plan, [&] { ++steps; });
  ASSERT_TRUE(rows);
  EXPECT_EQ(turns, "a1 b1 a2 b2 a1 b1 a2 b2 a1 b1 a2 b2 ");
  EXPECT_EQ(steps, plan.steps(2));
  ASSERT_EQ(rows->size(), 2U);
  for (const Row& row : *rows) {
    EXPECT_EQ(row.repetitions.size(), 2U);  // the first turn is not measured
    EXPECT_EQ(row.texts.size(), 2U);
  }
  EXPECT_EQ(rows->at(0).repetitions[0].tokens, 20U);  // both prompts
  EXPECT_DOUBLE_EQ(rows->at(1).speed_relative_to(rows->at(0)).median(), 2.0);
}

// In a process of its own: what an interrupt leaves behind would reach the other tests.
void compare_with_interrupt(int call) {
  catch_signals();
  std::string turns;
  FakeContender a("a", turns);
  FakeContender b("b", turns);
  b.costing(alone_cost()).interrupting_at(call);
  const std::vector<Contender*> contenders = {&a, &b};
  const auto rows = compare(contenders, {.prompts = {"1"}, .repetitions = 5}, [] {});
  std::exit(rows ? static_cast<int>(rows->at(1).repetitions.size())
                 : 100 + static_cast<int>(rows.error().code));
}

TEST(CompareDeathTest, AnInterruptKeepsWhatIsComplete) {
  constexpr int kNothing = 100 + static_cast<int>(ErrorCode::kCancelled);
  EXPECT_EXIT(compare_with_interrupt(1), ::testing::ExitedWithCode(kNothing), "");
  EXPECT_EXIT(compare_with_interrupt(2), ::testing::ExitedWithCode(kNothing), "");
  EXPECT_EXIT(compare_with_interrupt(3), ::testing::ExitedWithCode(1), "");
  EXPECT_EXIT(compare_with_interrupt(5), ::testing::ExitedWithCode(3), "");
}

std::vector<Row> two_rows() {
  return {{.label = "target alone", .repetitions = {alone_cost()}, .texts = {}},
          {.label = "static:4", .repetitions = {draft_cost()}, .texts = {}}};
}

TEST(Verdicts, CountCostsInStepsOfTheTarget) {
  const auto rows = two_rows();
  const auto verdict = judge_speculation(rows, rows.front());
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->pays, Pays::kYes);
  EXPECT_EQ(verdict->label, "static:4");
  EXPECT_DOUBLE_EQ(verdict->speed, 2.0);        // 20 tokens/s instead of 10
  EXPECT_DOUBLE_EQ(verdict->draft_cost, 0.2);   // 20 ms of 100 ms
  EXPECT_DOUBLE_EQ(verdict->pass_cost, 1.2);    // 120 ms
  EXPECT_DOUBLE_EQ(verdict->pass_tokens, 5.0);  // four drafted, one more
  EXPECT_DOUBLE_EQ(verdict->round_cost, 2.0);
  EXPECT_DOUBLE_EQ(verdict->committed, 4.0);
  EXPECT_THAT(explain(rows, rows.front()),
              HasSubstr("Speculation pays here: static:4 runs at 2.00"));
}

TEST(Verdicts, AreUnclearWhenRepetitionsDisagreeAndAbsentWithoutDrafts) {
  auto rows = two_rows();
  rows[0].repetitions.push_back(alone_cost());
  Measurement slow = draft_cost();
  slow.total = Seconds(2.0);
  rows[1].repetitions.push_back(slow);
  EXPECT_EQ(judge_speculation(rows, rows.front())->pays, Pays::kUnclear);
  rows[1].repetitions = {slow, slow};
  EXPECT_EQ(judge_speculation(rows, rows.front())->pays, Pays::kNo);
  rows.pop_back();
  EXPECT_FALSE(judge_speculation(rows, rows.front()));
  EXPECT_EQ(explain(rows, rows.front()), "");
}

TEST(Tables, ShowEveryRowAndTheExtraColumns) {
  const auto rows = two_rows();
  const std::string table = comparison_table(
      rows, rows.front(), {}, {{"extra", [](std::size_t i) { return std::to_string(40 + i); }}});
  EXPECT_THAT(table, HasSubstr("static:4         20    20..20    75.0 %       4.00          0.25  "
                               "          2.00     41\n"));
  EXPECT_THAT(table, HasSubstr("extra"));
}

TEST(RowJson, HoldsSpreadAndNullsForWhatIsNotKnown) {
  const auto rows = two_rows();
  const auto json = to_json(rows[0], rows[0]);
  EXPECT_EQ(json["decode_tokens_per_s"]["median"], 10.0);
  EXPECT_THAT(json["speedup_vs_target"]["max"].get<double>(), DoubleEq(1.0));
  EXPECT_EQ(nlohmann::json::parse(json.dump())["acceptance_rate"], nullptr);
}

}  // namespace
}  // namespace gelato::cli
