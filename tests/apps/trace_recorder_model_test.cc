// A recorded trace against what the models say one token at a time.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "gelato/engine/model_drafter.h"
#include "gelato/engine/model_verifier.h"
#include "gelato/pass_timing.h"
#include "gelato/sim/trace_file.h"
#include "gelato/trace_recorder.h"
#include "tests/apps/trace_fixture.h"

namespace gelato::cli {
namespace {

using TraceRecorderTest = TraceTest;

TEST_F(TraceRecorderTest, KeepsTheRulesOfATrace) {
  const sim::DraftTrace trace = recorded();
  const auto ok = sim::check_trace(trace);
  EXPECT_TRUE(ok) << ok.error().message;
  ASSERT_EQ(trace.prompts.size(), 3U);
  EXPECT_EQ(trace.prompts[0].positions, 60U);
  EXPECT_FALSE(trace.prompts[0].ended);
  EXPECT_TRUE(trace.prompts[1].ended);
  const sim::TracePrompt& sum = trace.prompts[1];
  for (std::uint32_t i = 0; i < sum.positions; ++i) {
    EXPECT_EQ(target_->is_end_of_generation(trace.target_tokens[sum.first + i]),
              i + 1 == sum.positions);
  }
}

// Batches of several texts round their sums differently, hence the tolerance of the rows.
TEST_F(TraceRecorderTest, HoldsTheTargetsTextAndTheDraftsOwnContinuations) {
  const sim::DraftTrace trace = recorded();
  const auto target_context = context(*target_);
  const auto draft_context = context(*draft_);
  for (std::size_t p = 0; p < trace.prompts.size(); ++p) {
    const auto prompt = prompts()[p].tokens;
    engine::ModelVerifier verifier(*target_context, {}, 0);
    engine::ModelDrafter drafter(*draft_context, {}, options().common, 0);
    ASSERT_TRUE(verifier.start(prompt) && drafter.start(prompt));
    for (std::uint32_t i = 0; i < trace.prompts[p].positions; ++i) {
      const std::size_t position = trace.prompts[p].first + i;
      ASSERT_EQ(verifier.verify({}).value().next, trace.target_tokens[position]);
      spec::Draft draft;
      bool over = false;
      for (std::uint32_t j = 0; j < trace.depth; ++j) {
        const sim::TraceToken& token = trace.drafts(position)[j];
        ASSERT_EQ(token.top_p == 0, over);
        if (over) {
          continue;
        }
        const spec::RowStats row = drafter.draft_one(draft, 0.0F).value().value();
        EXPECT_NEAR(token.entropy, row.entropy, 1e-3);
        EXPECT_NEAR(token.top1, row.top1_prob, 1e-3);
        EXPECT_NEAR(token.margin, row.margin, 1e-3);
        const bool matches =
            i + j < trace.prompts[p].positions && row.top1 == trace.target_tokens[position + j];
        ASSERT_EQ(token.match == 1, matches) << "position " << position << ", token " << j;
        over = target_->is_end_of_generation(row.top1);
      }
      ASSERT_TRUE(drafter.commit(0, trace.target_tokens[position]));
    }
  }
}

TEST_F(TraceRecorderTest, CountsTopPSets) {
  const sim::DraftTrace trace = recorded();
  const auto draft_context = context(*draft_);
  engine::Sequence sequence(*draft_context, 0);
  const auto prompt = prompts()[0].tokens;
  ASSERT_TRUE(sequence.append(prompt, 1));
  const auto logits = sequence.logits(0).value();
  std::vector<double> weights;
  double total = 0.0;
  for (const float logit : logits) {
    weights.push_back(std::exp(static_cast<double>(logit)));
    total += weights.back();
  }
  std::sort(weights.rbegin(), weights.rend());
  double mass = 0.0;
  int size = 0;
  while (mass < 0.99 * total) {
    mass += weights[static_cast<std::size_t>(size++)];
  }
  EXPECT_NEAR(trace.tokens[0].top_p, size, 2);
}

TEST_F(TraceRecorderTest, GoesOnWhereItWasInterrupted) {
  std::vector<TracePromptTokens> many;  // more than one batch of texts
  for (int i = 0; i < 9; ++i) {
    many.push_back(prompts()[static_cast<std::size_t>(i % 3)]);
    many.back().id += std::to_string(i);
  }
  TraceRecorderOptions few = options();
  few.predict = 12;
  TraceRecorder first = recorder(many, few);
  sim::DraftTrace trace = empty(few);
  ASSERT_TRUE(first.add_next(trace, [] { return true; }));
  const sim::DraftTrace begun = trace;
  EXPECT_EQ(begun.prompts.size(), 8U);
  int batches = 0;
  const auto stopped = first.add_next(trace, [&] { return ++batches < 3; });
  EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(trace, begun);

  TraceRecorder second = recorder(many, few);
  ASSERT_TRUE(second.check_begun(begun));
  sim::DraftTrace resumed = begun;
  ASSERT_TRUE(second.add_next(resumed, [] { return true; }));
  ASSERT_TRUE(first.add_next(trace, [] { return true; }));
  EXPECT_EQ(resumed, trace);
  EXPECT_EQ(resumed.prompts.size(), 9U);

  few.predict = 13;
  EXPECT_FALSE(recorder(many, few).check_begun(begun));
  many[2].id = "another";
  few.predict = 12;
  EXPECT_FALSE(recorder(many, few).check_begun(begun));
}

TEST_F(TraceRecorderTest, RefusesAPromptWithoutRoomForAText) {
  TraceRecorderOptions narrow = options();
  narrow.context_tokens = 4;
  const auto recorder = TraceRecorder::create(*target_, *draft_, prompts(), narrow);
  ASSERT_FALSE(recorder);
  EXPECT_NE(recorder.error().message.find("prompt-0"), std::string::npos);
}

TEST_F(TraceRecorderTest, TimesEveryLengthOfAPass) {
  const SteadyClock clock;
  const auto timing =
      time_passes(*target_, *draft_, prompts()[0].tokens, /*depth=*/3, 1, 1, clock).value();
  EXPECT_EQ(timing.verify.size(), 4U);
  EXPECT_GT(timing.draft_token, Seconds(0));
  EXPECT_GT(timing.verify.front(), Seconds(0));
}

}  // namespace
}  // namespace gelato::cli
