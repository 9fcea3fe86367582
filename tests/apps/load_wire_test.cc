// What the processes of `gelato bench edge` say to each other, and what is added up from it.
#include "gelato/load_wire.h"

#include <gtest/gtest.h>

#include <string>

namespace gelato::cli {
namespace {

AnsweredDraft answer(double at, std::uint32_t sessions, std::uint32_t accepted,
                     std::uint64_t up_bytes) {
  AnsweredDraft answer{.at = Seconds(at),
                       .waited = Seconds(0.03),
                       .queued = Seconds(0.01),
                       .pass = Seconds(0.02),
                       .sessions = sessions,
                       .drafted = 4,
                       .accepted = accepted,
                       .traffic = {}};
  answer.traffic.up_bytes = up_bytes;
  answer.traffic.down_bytes = 2 * up_bytes;
  return answer;
}

TEST(LoadWire, APlanArrivesAsItWasSent) {
  LoadPlan plan;
  plan.edge.endpoint = "127.0.0.1:8470";
  plan.edge.insecure = true;
  plan.link.link = "rate=1mbit,delay=20ms";
  plan.devices = 3;
  plan.first = 9;
  plan.policy = "gelato:joules=0.1";
  plan.replay = true;
  plan.tokens = 77;
  plan.prompts = {{1, 2, 3}, {4}};
  const std::string line = to_line(plan);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto got = plan_of(line);
  ASSERT_TRUE(got.has_value()) << got.error().message;
  EXPECT_EQ(got->edge.endpoint, plan.edge.endpoint);
  EXPECT_TRUE(got->edge.insecure);
  EXPECT_EQ(got->link.link, plan.link.link);
  EXPECT_EQ(got->devices, 3U);
  EXPECT_EQ(got->first, 9U);
  EXPECT_EQ(got->policy, plan.policy);
  EXPECT_TRUE(got->replay);
  EXPECT_EQ(got->tokens, 77U);
  EXPECT_EQ(got->prompts, plan.prompts);
}

TEST(LoadWire, WhatIsNoPlanIsRefused) {
  LoadPlan empty;
  EXPECT_EQ(plan_of(to_line(empty)).error().code, ErrorCode::kInvalidArgument) << "no prompts";
  for (const char* line : {"", "[]", "{}", "nonsense", R"({"edge": 1})"}) {
    EXPECT_EQ(plan_of(line).error().code, ErrorCode::kInvalidArgument) << line;
  }
}

// Two processes, of two devices and one; the window is from 10 s to 12 s.
TEST(LoadWire, AnswersOfTheWindowAreAddedUp) {
  LoadResult first;
  first.answers = {{answer(9.9, 2, 4, 100), answer(10.5, 2, 3, 140), answer(11.5, 3, 1, 160)},
                   {answer(10.5, 2, 0, 500), answer(12.0, 3, 4, 600)}};
  first.losses = 1;
  LoadResult second;
  second.answers = {{answer(11.5, 3, 4, 50)}};
  LoadResult all{.window = Seconds(2.0), .answers = {}};
  ASSERT_TRUE(add_line(to_line(first), Seconds(10.0), all));
  ASSERT_TRUE(add_line(to_line(second), Seconds(10.0), all));
  ASSERT_EQ(all.answers.size(), 3U);
  EXPECT_EQ(all.answers[0].size(), 2U);
  EXPECT_EQ(all.answers[1].size(), 1U) << "the window is over at its end";
  EXPECT_EQ(all.losses, 1U);
  EXPECT_EQ(all.answers[0][0].waited, Seconds(0.03));
  EXPECT_EQ(all.answers[0][1].traffic.down_bytes, 320U);
  // Committed: 4 + 2, 1 and 5 tokens.
  EXPECT_DOUBLE_EQ(all.tokens_per_s(), 12 / 2.0);
  EXPECT_DOUBLE_EQ(all.fairness(), 1.0 / 4.0);
  EXPECT_DOUBLE_EQ(all.round_fairness(), 1.0 / (4.0 / 3.0));
  EXPECT_DOUBLE_EQ(all.passes(), 1.0 / 2 + 1.0 / 3 + 1.0 / 2 + 1.0 / 3);
  EXPECT_DOUBLE_EQ(all.up_bytes_per_round(), 20.0) << "between first and last";
}

TEST(LoadWire, WhatIsNoAnswerIsRefused) {
  for (const char* line :
       {"", "7", "{}", R"({"losses": -1, "devices": []})", R"({"losses": 0, "devices": [7]})",
        R"({"losses": 0, "devices": [[[1, 2]]]})",
        R"({"losses": 0, "devices": [[[1, 2, 3, 4, 5, 6, 7, 8, null]]]})"}) {
    LoadResult result{.window = Seconds(1.0), .answers = {}};
    const auto ok = add_line(line, Seconds(0.0), result);
    ASSERT_FALSE(ok.has_value()) << line;
    EXPECT_EQ(ok.error().code, ErrorCode::kCorrupt) << line;
  }
}

}  // namespace
}  // namespace gelato::cli
