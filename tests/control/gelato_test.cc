// Policy `gelato` on a timeline that is told the exact costs. Seeds are fixed, so no test can fail
// by chance; the margins say by how much a good run may differ from the optimum it is compared
// with.
#include "gelato/control/gelato.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "gelato/control/why.h"
#include "tests/control/script.h"
#include "tests/control/timeline.h"

namespace gelato::control {
namespace {

using testing::even_text;
using testing::make;
using testing::Played;
using testing::Timeline;
using testing::uneven_text;

// A 5 W device that idles at 1.5 W, on a 5 Mbit/s link.
CostEstimate setting(double rtt_ms, double edge_ms, double draft_ms) {
  CostEstimate c;
  c.draft_token = milliseconds(draft_ms);
  c.draft_token_energy = Watts(5.0) * c.draft_token;
  c.round_trip = milliseconds(rtt_ms);
  c.uplink = BitsPerSecond(5e6);
  c.uplink_bits_per_token = Bits(18);
  c.uplink_bits_per_round = bytes(60);
  c.verify_base = milliseconds(edge_ms);
  c.verify_token = milliseconds(edge_ms / 100);
  c.tx_power = Watts(1.5);
  c.wait_power = Watts(1.5);
  return c;
}

double mean_theta(const Policy& policy) {
  double sum = 0.0;
  for (const PricePoint& point : policy.why()->trace) {
    sum += point.tokens_per_second;
  }
  return sum / Why::kTrace;
}

Played play(const std::string& policy, const std::vector<testing::Place>& text,
            const CostEstimate& cost, std::uint64_t rounds, std::uint32_t in_flight = 1) {
  const auto made = make(policy);
  return Timeline(*made, text, cost, in_flight).play(rounds);
}

double best_static(const std::vector<testing::Place>& text, const CostEstimate& cost,
                   double tokens) {
  double best = 0.0;
  for (const int length : {1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20}) {
    const auto policy = make(fmt::format("static:{}", length));
    best = std::max(best, Timeline(*policy, text, cost, 1).play_tokens(tokens).tokens_per_second());
  }
  return best;
}

// With rows that tell nothing and i.i.d. acceptance the optimum is the best fixed length, max over
// gamma of E[N]/E[T] (GELATO, arXiv 2605.10124, equation 6).
TEST(Gelato, ThroughputAndItsPriceConvergeToTheAnalyticOptimum) {
  for (const double rho : {0.6, 0.8, 0.9}) {
    const CostEstimate cost = setting(20, 60, 8);
    const auto rate = [&](std::uint32_t k) {
      return tokens_per_second(expected_tokens(rho, k), round_time(cost, k));
    };
    const double optimum = rate(best_length(0, 30, rate));
    const auto policy = make("gelato:flight=1");
    Timeline timeline(*policy, even_text(rho, 100000, 3), cost, 1);
    timeline.play(300);
    const Played played = timeline.play(3000);
    EXPECT_NEAR(played.tokens_per_second() / optimum, 1.0, 0.03) << rho;
    EXPECT_NEAR(mean_theta(*policy) / optimum, 1.0, 0.06) << rho;
  }
}

TEST(Gelato, IsNotWorseThanTheBestStaticLengthOrTheTargetAlone) {
  const auto text = uneven_text(0.6, 0.35, 100000, 1);
  for (const double rtt : {5.0, 80.0}) {
    for (const double edge : {10.0, 100.0}) {
      for (const double draft : {2.0, 15.0}) {
        const CostEstimate cost = setting(rtt, edge, draft);
        constexpr double kTokens = 8000;
        const auto alone = make("edge-only");
        const double baseline =
            std::max(best_static(text, cost, kTokens),
                     Timeline(*alone, text, cost, 1).play_tokens(kTokens).tokens_per_second());
        for (const std::uint32_t in_flight : {1U, 16U}) {
          const auto policy = make("gelato");
          const Played played = Timeline(*policy, text, cost, in_flight).play_tokens(kTokens);
          EXPECT_GT(played.tokens_per_second(), 0.98 * baseline)
              << rtt << ' ' << edge << ' ' << draft << ' ' << in_flight;
        }
      }
    }
  }
}

TEST(Gelato, PipelinesWhereTheWaitIsLongAndDraftsAreGood) {
  const auto text = uneven_text(0.2, 0.35, 100000, 2);
  const CostEstimate cost = setting(80, 40, 10);
  const double waiting = play("gelato:flight=1", text, cost, 2000).tokens_per_second();
  const auto policy = make("gelato");
  const Played played = Timeline(*policy, text, cost, 16).play(2000);
  EXPECT_GT(played.tokens_per_second(), 1.15 * waiting);
  EXPECT_GT(policy->why()->rounds[static_cast<std::size_t>(Way::kPipeline)], 1900U);
}

TEST(Gelato, KeepsEveryKindOfBudgetWithinTwoPercent) {
  const auto text = uneven_text(0.6, 0.35, 100000, 1);
  constexpr std::uint64_t kRounds = 2000;
  for (const double rtt : {5.0, 80.0}) {
    const CostEstimate cost = setting(rtt, 40, 5);
    for (const std::uint32_t in_flight : {1U, 16U}) {
      const Played free = play("gelato", text, cost, kRounds, in_flight);
      const auto spend = [&](const char* kind, double base, auto measure) {
        const auto policy = make(fmt::format("gelato:{}={}", kind, 0.92 * base));
        const Played played = Timeline(*policy, text, cost, in_flight).play(kRounds);
        const Why& why = *policy->why();
        if (!why.infeasible) {
          EXPECT_LT(measure(played), 1.02 * 0.92 * base) << kind << ' ' << rtt << ' ' << in_flight;
        }
        EXPECT_GT(played.tokens_per_second(), 0.7 * free.tokens_per_second());
        EXPECT_LT(played.per_token(), 1.001 * free.per_token());
        return why.infeasible;
      };
      const auto per_token = [](const Played& p) { return p.per_token().value(); };
      const auto watts = [](const Played& p) { return (p.energy / p.time).value(); };
      const auto per_round = [](const Played& p) {
        return p.energy.value() / static_cast<double>(p.rounds);
      };
      // Without a pipeline and with a long wait nothing saves 8 % of the joules of a token.
      EXPECT_FALSE(spend("joules", per_token(free), per_token) && (rtt < 80.0 || in_flight > 1));
      EXPECT_FALSE(spend("watts", watts(free), watts));
      EXPECT_FALSE(spend("step", per_round(free), per_round));
    }
  }
}

TEST(Gelato, ReportsAnInfeasibleBudgetAndWritesAsThriftilyAsItCan) {
  const auto text = uneven_text(0.6, 0.35, 100000, 1);
  const CostEstimate cost = setting(30, 40, 15);
  double least = play("edge-only", text, cost, 500).per_token().value();
  for (int length = 1; length < 10; ++length) {
    least = std::min(least,
                     play(fmt::format("static:{}", length), text, cost, 2000).per_token().value());
  }
  for (const char* budget : {"joules=0.01", "watts=0.5", "step=0.01"}) {
    const auto policy = make(fmt::format("gelato:{}", budget));
    Timeline timeline(*policy, text, cost, 16);
    timeline.play(100);
    const Played played = timeline.play(1000);
    EXPECT_TRUE(policy->why()->infeasible) << budget;
    // The drafts that are tried meanwhile cost their share.
    EXPECT_LT(played.per_token().value(), 1.02 * least) << budget;
  }
  const auto generous = make("gelato:joules=10");
  Timeline(*generous, text, cost, 16).play(1000);
  EXPECT_FALSE(generous->why()->infeasible);
}

// The first drafts cost more than the budget allows, as bad luck has it; the next ones do not.
TEST(Gelato, GivesNoBudgetUpOnAFewBadDrafts) {
  auto text = uneven_text(0.3, 0.35, 100000, 1);
  for (std::size_t i = 0; i < 4; ++i) {
    text[i].match = false;
  }
  const CostEstimate cost = setting(5, 100, 2);
  const double free = play("gelato", text, cost, 500).per_token().value();
  const auto policy = make(fmt::format("gelato:joules={}", 1.05 * free));
  Timeline timeline(*policy, text, cost, 16);
  int given_up = 0;
  for (int round = 0; round < 300; ++round) {
    timeline.play();
    given_up += policy->why()->infeasible ? 1 : 0;
  }
  EXPECT_LT(given_up, 30);
}

// A higher thrift is never dearer, and none at all is the fastest; each step trades within noise.
TEST(Gelato, ThriftTradesThroughputForJoules) {
  const auto text = uneven_text(0.6, 0.35, 100000, 1);
  const CostEstimate cost = setting(20, 100, 5);
  const Played fast = play("gelato:thrift=0", text, cost, 3000, 16);
  const Played thrifty = play("gelato:thrift=0.2", text, cost, 3000, 16);
  const Played miser = play("gelato:thrift=2", text, cost, 3000, 16);
  EXPECT_GT(fast.tokens_per_second(), thrifty.tokens_per_second());
  EXPECT_GT(thrifty.tokens_per_second(), 0.85 * fast.tokens_per_second());
  EXPECT_LT(thrifty.per_token(), 0.9 * fast.per_token());
  EXPECT_LT(miser.per_token(), thrifty.per_token());
}

// In 2000 steady rounds the way changes hardly ever, also where two ways are about equal. While the
// target writes, a draft is sent every 16384 tokens: that is no change of mind.
TEST(Gelato, DoesNotFlap) {
  const auto text = uneven_text(0.6, 0.35, 100000, 4);
  for (const double rtt : {5.0, 20.0, 35.0, 50.0, 80.0, 200.0}) {
    for (const double edge : {20.0, 40.0}) {
      const auto policy = make("gelato");
      Timeline timeline(*policy, text, setting(rtt, edge, 6), 16);
      timeline.play(200);
      const std::uint64_t before = policy->why()->switches;
      // A visit from the bursts and back is two switches.
      const double tokens = timeline.play(2000).tokens;
      EXPECT_LE(static_cast<double>(policy->why()->switches - before), 20 + 2.0 * tokens / 8192.0)
          << rtt << ' ' << edge;
    }
  }
}

// While the target writes, drafts are tried beside its tokens: next to no round is given to them,
// and their joules stay a small share. Anywhere in the text, because it is not the same everywhere.
TEST(Gelato, TriesDraftsBesideTheTargetsTokens) {
  const auto policy = make("gelato");
  Timeline timeline(*policy, uneven_text(2.0, 0.35, 100000, 4), setting(80, 20, 6), 16);
  timeline.play(100);
  const Played played = timeline.play_tokens(50000);
  EXPECT_GT(played.tried, 1000U);
  EXPECT_LT(played.drafted, played.tried / 10);
  EXPECT_LT(static_cast<double>(played.tried) * 5.0 * 6e-3, 0.05 * played.energy.value());
  std::vector<std::size_t> places;  // of texts of 150 tokens
  for (const std::size_t at : timeline.tried_at) {
    places.push_back(at % 150);
  }
  ASSERT_GE(places.size(), 20U);
  std::sort(places.begin(), places.end());
  EXPECT_LT(places.front(), 30U);
  EXPECT_GT(places.back(), 120U);
}

// What was not worth it becomes so, and only trials can tell.
TEST(Gelato, FindsOutBesideBurstsThatDraftsHaveBecomeGood) {
  for (const char* name : {"gelato", "gelato:flight=1"}) {
    const auto policy = make(name);
    const CostEstimate cost = setting(30, 40, 6);
    Timeline timeline(*policy, even_text(0.35, 100000, 7), cost, 16);
    EXPECT_EQ(timeline.play(400).drafted > 0, true);  // the first rounds
    ASSERT_LT(timeline.play_tokens(4000).drafted, 100U) << name;
    timeline.set_text(even_text(0.95, 100000, 8));
    timeline.play_tokens(4000);
    const Played played = timeline.play_tokens(4000);
    EXPECT_GT(played.tokens / static_cast<double>(played.rounds), 3.0);
    EXPECT_GT(played.drafted, 3000U) << name;
  }
}

// Also to a loop that cannot draft while the target writes.
TEST(Gelato, SendsADraftNowAndThen) {
  const auto policy = make("gelato:flight=1");
  const CostEstimate cost = setting(80, 20, 6);
  int drafts = 0;
  for (int round = 0; round < 20000; ++round) {
    const RoundPlan plan = policy->begin_round(testing::context(cost));
    if (plan.mode == RoundMode::kTargetOnly) {
      policy->end_round({.committed = 1, .elapsed = round_time(cost, 0)});
      continue;
    }
    drafts += round >= 20 ? 1 : 0;
    DraftState state{.drafted = 1, .last = {}, .max_draft = plan.max_draft};
    state.last.entropy = 3.0F;
    while (state.drafted < plan.max_draft && policy->keep_drafting(state)) {
      ++state.drafted;
    }
    testing::end_round(*policy, state.drafted, 0, cost);
  }
  EXPECT_GT(drafts, 1);
  EXPECT_LT(drafts, 60);
}

struct Change {
  const char* name;
  CostEstimate cost;
  std::vector<testing::Place> text;
};

// Thirty rounds after a change the throughput is within 10 % of what a policy that has known
// nothing else reaches.
TEST(Gelato, SettlesWithinThirtyRoundsOfASuddenChange) {
  const auto text = uneven_text(0.4, 0.35, 100000, 5);
  const CostEstimate usual = setting(20, 40, 5);
  CostEstimate narrow = usual;
  narrow.uplink = narrow.uplink * 0.02;
  CostEstimate loaded = usual;
  loaded.verify_base = 8.0 * loaded.verify_base;
  const std::array changes{
      Change{.name = "uplink / 50", .cost = narrow, .text = text},
      Change{.name = "round trip * 10", .cost = setting(200, 40, 5), .text = text},
      Change{.name = "edge load * 8", .cost = loaded, .text = text},
      Change{.name = "worse drafts", .cost = usual, .text = uneven_text(2.5, 0.35, 100000, 6)}};
  for (const Change& change : changes) {
    for (const std::uint32_t in_flight : {1U, 16U}) {
      const double settled =
          play("gelato", change.text, change.cost, 2000, in_flight).tokens_per_second();
      const auto policy = make("gelato");
      Timeline timeline(*policy, text, usual, in_flight);
      timeline.play(1000);
      timeline.set_cost(change.cost);
      timeline.set_text(change.text);
      timeline.play(30);
      EXPECT_GT(timeline.play(600).tokens_per_second(), 0.9 * settled)
          << change.name << ' ' << in_flight;
    }
  }
}

// Rows that look as before and are accepted half as often: only the verdicts tell.
TEST(Gelato, NoticesThatDraftsHaveBecomeWorse) {
  const CostEstimate cost = setting(30, 40, 5);
  for (const std::uint32_t in_flight : {1U, 16U}) {
    const auto policy = make("gelato");
    Timeline timeline(*policy, even_text(0.9, 100000, 5), cost, in_flight);
    timeline.play(400);
    timeline.set_text(even_text(0.4, 100000, 6));
    timeline.play(30);
    const auto alone = make("edge-only");
    const double target =
        Timeline(*alone, {testing::Place{}}, cost, 1).play(10).tokens_per_second();
    EXPECT_GT(timeline.play(200).tokens_per_second(), 0.95 * target) << in_flight;
  }
}

TEST(Gelato, ExplainsItself) {
  const auto text = uneven_text(0.6, 0.35, 100000, 1);
  const auto policy = make("gelato:joules=0.055,flight=1");
  Timeline timeline(*policy, text, setting(30, 40, 5), 1);
  const Played played = timeline.play(500);
  const Why& why = *policy->why();
  EXPECT_EQ(why.traced, 500U);
  EXPECT_EQ(why.rounds[0] + why.rounds[1] + why.rounds[2] + why.rounds[3], 500U);
  const StopReasons& stops = why.stops;
  const std::uint64_t drafts = why.rounds[static_cast<std::size_t>(Way::kDraft)];
  EXPECT_EQ(stops.price + stops.budget + stops.entropy + stops.limit + stops.verdict + stops.eog,
            drafts);
  EXPECT_GT(stops.entropy, 0U);
  EXPECT_GT(stops.budget, 0U);
  EXPECT_GT(why.reliability.tokens(), 500U);
  EXPECT_LE(why.reliability.tokens(), played.drafted + played.tried);
  EXPECT_GT(why.least_per_token, Joules(0.03));
  EXPECT_LT(why.least_per_token, Joules(0.10));
}

TEST(Gelato, WritesAloneOnlyIfItMayAndOnlyWhileTheEdgeIsLost) {
  for (const bool may : {false, true}) {
    const auto policy = make("gelato");
    RoundContext context = testing::context(setting(30, 40, 5));
    context.may_draft_alone = may;
    int alone = 0;
    int tried = 0;
    for (int round = 0; round < 40; ++round) {
      const RoundPlan plan = policy->begin_round(context);
      const bool by_itself = plan.mode == RoundMode::kDraftOnly;
      alone += by_itself ? 1 : 0;
      tried += by_itself ? 0 : 1;
      policy->end_round({.answered = by_itself,
                         .drafted = 4,
                         .committed = by_itself ? 4U : 0U,
                         .elapsed = Seconds(1)});
    }
    EXPECT_EQ(alone > 0, may);
    EXPECT_GE(tried, 5) << "the edge is asked again and again";
    policy->begin_round(context);
    testing::end_round(*policy, 4, 2);
    EXPECT_NE(policy->begin_round(context).mode, RoundMode::kDraftOnly);
  }
}

// A loop that can only ask the target for one token commits one of the 64 planned.
TEST(Gelato, LearnsThatABurstBringsOneTokenOnly) {
  const auto policy = make("gelato:flight=1");
  const CostEstimate cost = setting(1, 40, 4);
  Rng rng(9, "verdicts");
  int drafts = 0;
  for (int round = 0; round < 400; ++round) {
    const RoundPlan plan = policy->begin_round(testing::context(cost));
    if (plan.mode == RoundMode::kTargetOnly) {
      policy->end_round({.committed = 1, .elapsed = round_time(cost, 0)});
      continue;
    }
    ++drafts;
    std::uint32_t drafted = 1;
    DraftState state{.drafted = 1, .last = {}, .max_draft = plan.max_draft};
    state.last.entropy = 1.0F;
    while (drafted < plan.max_draft && policy->keep_drafting(state)) {
      state.drafted = ++drafted;
    }
    testing::end_round(*policy, drafted, testing::accepted_of(drafted, 0.8, rng), cost);
  }
  EXPECT_GT(drafts, 380);
}

}  // namespace
}  // namespace gelato::control
