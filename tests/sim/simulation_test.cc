#include "gelato/sim/simulation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "gelato/control/round_estimate.h"
#include "gelato/control/shared_edge.h"
#include "tests/sim/settings.h"

namespace gelato::sim {
namespace {

using ::testing::HasSubstr;

struct Played {
  RunResult result;
  std::vector<control::RoundOutcome> outcomes;
  std::vector<control::DraftState> states;
  std::vector<control::RoundContext> contexts;
  std::vector<PlannedPolicy::Trial> trials;
};

Played play(const Setting& setting, const control::RoundPlan& plan, std::uint32_t next_trial = 0) {
  auto policy = std::make_unique<PlannedPolicy>(plan);
  PlannedPolicy* seen = policy.get();
  seen->next_trial = next_trial;
  std::vector<std::unique_ptr<control::Policy>> policies;
  policies.push_back(std::move(policy));
  auto result = simulate(setting, policies, {.seed = 0, .observer = nullptr, .foresight = {}});
  EXPECT_TRUE(result) << result.error().message;
  return {*result, seen->outcomes, seen->states, seen->contexts, seen->trials};
}

// Equation 6 of GELATO (arXiv 2605.10124): E[N] = (1 - rho^(gamma+1)) / (1 - rho). Each case is off
// by more than four standard errors with probability 6e-5 (two-sided normal), so that all 12
// together raise a false alarm once in 1300 seeds; the seed is fixed.
TEST(Simulation, StaticDraftsYieldTheClosedFormOnIndependentMatches) {
  for (const double rho : {0.5, 0.8, 0.95}) {
    Setting setting = round_setting(std::make_shared<DraftTrace>(
        make_synthetic_trace("iid:" + std::to_string(rho), 7).value()));
    setting.rounds = 4000;
    for (const std::uint32_t gamma : {1U, 3U, 7U, 15U}) {
      const auto run = run_policy(setting, "static:" + std::to_string(gamma));
      ASSERT_TRUE(run) << run.error().message;
      const double n = static_cast<double>(setting.rounds);
      const double mean = static_cast<double>(run->total().tokens) / n;
      double second = 0.0;  // E[N^2], N = 1 .. gamma + 1
      for (std::uint32_t a = 0; a <= gamma; ++a) {
        const double p = std::pow(rho, a) * (a < gamma ? 1.0 - rho : 1.0);
        second += p * (a + 1.0) * (a + 1.0);
      }
      const double expected = control::expected_tokens(rho, gamma);
      const double error = std::sqrt((second - expected * expected) / n);
      // The trace's own texts end now and then, which shortens single rounds.
      EXPECT_NEAR(mean, expected, 4.0 * error + 2e-3) << "rho " << rho << " gamma " << gamma;
    }
  }
}

TEST(Simulation, OneRoundTakesDraftLinkAndPass) {
  Setting setting = round_setting(scripted_trace({1, 1, 0, 1, 1, 1, 1, 1, 1, 1}, 4));
  setting.link = link::parse_link_spec("rate=8kbit,delay=10ms").value();
  setting.wire.up_bytes = 17;   // with 3 ids of 8 bits: 20 bytes, 20 ms
  setting.wire.down_bytes = 5;  // 5 ms
  setting.rounds = 1;
  const Played run = play(setting, {.max_draft = 3});
  ASSERT_EQ(run.outcomes.size(), 1U);
  const control::RoundOutcome& round = run.outcomes[0];
  EXPECT_EQ(round.drafted, 3U);
  EXPECT_EQ(round.accepted, 2U);
  EXPECT_EQ(round.committed, 3U);
  EXPECT_EQ(round.passes, 1U);
  EXPECT_NEAR(round.drafting.value(), 0.030, 1e-12);
  EXPECT_NEAR(round.elapsed.value(), 0.030 + 0.020 + 0.010 + 0.100 + 0.005 + 0.010, 1e-12);
  const energy::PhaseJoules& energy = run.result.total().energy;
  EXPECT_NEAR(energy.draft.value(), 1.0 * 0.030, 1e-12);
  EXPECT_NEAR(energy.tx.value(), 2.0 * 0.020, 1e-12);
  EXPECT_NEAR(energy.rx.value(), 0.5 * 0.005, 1e-12);
  EXPECT_NEAR(energy.wait.value(), 0.1 * 0.120, 1e-12);
  EXPECT_NEAR(round.energy.value(), energy.total().value(), 1e-12);
  EXPECT_EQ(run.result.total().up_bytes, 20U);
  EXPECT_EQ(run.result.total().down_bytes, 5U);
}

// Two rounds of one token each. The device's acknowledgement of the first verdict is on the uplink
// when the second draft is ready, and that waits for it; nobody waits for the edge's.
TEST(Simulation, AcknowledgementsUseTheLinkAndTheRadio) {
  Setting setting = round_setting(scripted_trace({0, 0, 0, 0}, 4));
  setting.link = link::parse_link_spec("rate=8kbit").value();
  setting.wire.up_bytes = 19;  // with an id of 8 bits: 20 ms
  setting.wire.down_bytes = 5;
  setting.rounds = 2;
  const Played plain = play(setting, {.max_draft = 1});
  setting.wire.up_ack_bytes = 25;
  setting.wire.down_ack_bytes = 3;
  const Played run = play(setting, {.max_draft = 1});
  const double round = 0.010 + 0.020 + 0.100 + 0.005;
  EXPECT_NEAR(plain.outcomes[1].elapsed.value(), round, 1e-12);
  EXPECT_NEAR(run.outcomes[0].elapsed.value(), round, 1e-12);
  EXPECT_NEAR(run.outcomes[1].elapsed.value(), round + 0.015, 1e-12);
  EXPECT_EQ(run.result.total().up_bytes, 2U * (20 + 25));
  EXPECT_EQ(run.result.total().down_bytes, 2U * (5 + 3));
  const energy::PhaseJoules more = run.result.total().energy;
  const energy::PhaseJoules less = plain.result.total().energy;
  EXPECT_NEAR((more.tx - less.tx).value(), (2.0 - 0.1) * 2 * 0.025, 1e-12);
  EXPECT_NEAR((more.rx - less.rx).value(), (0.5 - 0.1) * 2 * 0.003, 1e-12);
  EXPECT_NEAR((more.wait - less.wait).value(), 0.1 * 0.015, 1e-12);
}

TEST(Simulation, PaperAccountingCountsDraftAndUplinkOnly) {
  Setting setting = round_setting(scripted_trace(std::vector<int>(64, 1), 4));
  setting.link = link::parse_link_spec("rate=8kbit").value();
  setting.wire = {.draft = WireFormat::Draft::kTopP, .index = Bits(18), .prob = Bits(14)};
  setting.accounting = Accounting::kPaper;
  setting.rounds = 1;
  const Played run = play(setting, {.max_draft = 3});
  // Equation 2: three rows of two entries with 32 bits each, 24 bytes.
  EXPECT_NEAR(run.outcomes[0].elapsed.value(), 0.030 + 0.024 + 0.100, 1e-12);
  EXPECT_NEAR(run.outcomes[0].energy.value(), 1.0 * 0.030 + 2.0 * 0.024, 1e-12);
}

TEST(Simulation, RowOfDssdTakesItsTimeInThePapersAccountingToo) {
  Setting setting = round_setting(scripted_trace({1, 0, 1, 1, 1, 1, 1, 1, 1, 1}, 4));
  setting.link = link::parse_link_spec("rate=8kbit").value();
  setting.wire.row_bytes = 50;  // 50 ms
  setting.wire.down_bytes = 7;  // not in the paper's T
  setting.accounting = Accounting::kPaper;
  setting.rounds = 2;
  const Played run = play(setting, {.max_draft = 2, .uplink = control::UplinkFormat::kDssd});
  ASSERT_EQ(run.outcomes.size(), 2U);
  const auto sent = [](const control::RoundOutcome& round) {
    return round.elapsed - round.drafting - milliseconds(100);
  };
  EXPECT_EQ(run.outcomes[0].accepted, 1U);
  EXPECT_EQ(run.outcomes[1].accepted, 2U);
  EXPECT_NEAR((sent(run.outcomes[0]) - sent(run.outcomes[1])).value(), 0.050, 1e-12);
  EXPECT_NEAR((run.outcomes[0].energy - run.outcomes[1].energy).value(), 0.0, 1e-12);
  EXPECT_EQ(run.result.total().down_bytes, 50U);
}

// Draft 10 ms a token, chunks of two, 10 ms each way, 100 ms a pass; the fifth token is wrong.
//   drafted  10 20 | 30 40 | 50 60 | 70 80 ...
//   chunk 1  sent 20, there 30, decided 130, known 140: two accepted
//   chunk 2  sent 40, there 50, waits, decided 230, known 240: two accepted
//   chunk 3  sent 60, there 70, waits, decided 330, known 340: none accepted
// The window of eight is full at 80 ms; after the answer at 140 two more tokens are drafted (150,
// 160), after that at 240 two more (250, 260): 12 drafted, chunks 4, 5 and 6 are stale.
TEST(Simulation, PipelinedRoundFollowsItsTimeline) {
  std::vector<int> matches(64, 1);
  matches[4] = 0;
  Setting setting = round_setting(scripted_trace(matches, 16));
  setting.max_in_flight = 16;
  setting.rounds = 1;
  const Played run = play(setting, {.max_draft = 20, .chunk = 2, .window = 8});
  ASSERT_EQ(run.outcomes.size(), 1U);
  const control::RoundOutcome& round = run.outcomes[0];
  EXPECT_EQ(round.drafted, 12U);
  EXPECT_EQ(round.accepted, 4U);
  EXPECT_EQ(round.committed, 5U);
  EXPECT_EQ(round.passes, 3U);
  EXPECT_NEAR(round.elapsed.value(), 0.340, 1e-9);
  EXPECT_NEAR(round.drafting.value(), 0.120, 1e-12);
  EXPECT_NEAR(round.energy.value(), 1.0 * 0.120 + 0.1 * 0.220, 1e-6);
  EXPECT_EQ(run.result.edge_passes, 3U);
  // Asked after each token while it may have another.
  ASSERT_EQ(run.states.size(), 12U);
  EXPECT_EQ(run.states[7].in_flight, 6U);
  EXPECT_EQ(run.states[8].verified, 2U);
  EXPECT_EQ(run.states[8].in_flight, 6U);
  EXPECT_EQ(run.states[11].verified, 4U);
}

TEST(Simulation, StaleChunksCostUplinkAndNoPass) {
  std::vector<int> matches(200, 1);
  for (std::size_t i = 4; i < matches.size(); i += 5) {
    matches[i] = 0;
  }
  Setting setting = round_setting(scripted_trace(matches, 16));
  setting.max_in_flight = 16;
  setting.rounds = 10;
  setting.wire.up_bytes = 10;
  const Played run = play(setting, {.max_draft = 20, .chunk = 2, .window = 8});
  const DeviceTotals total = run.result.total();
  EXPECT_EQ(total.tokens, 50U);
  EXPECT_EQ(total.passes, 30U);
  EXPECT_EQ(total.drafted, 120U);
  EXPECT_EQ(total.up_bytes, 60U * 12U);
  EXPECT_GE(total.stale, 27U);  // those of the last round may still be on their way
}

// A chunk that waits for the one before it has met no queue: the edge is as fast as it is.
TEST(Simulation, OwnChunksAreNoQueueToThePolicy) {
  Setting setting =
      round_setting(std::make_shared<DraftTrace>(make_synthetic_trace("iid:0.95", 7).value()));
  setting.max_in_flight = 8;
  setting.rounds = 100;
  const Played run = play(setting, {.max_draft = 16, .chunk = 2, .window = 16});
  ASSERT_GE(run.contexts.size(), 100U);
  EXPECT_NEAR(run.contexts.back().cost.verify_base.value(), 0.1, 1e-9);
}

TEST(Simulation, SuddenChangeHoldsFromItsRoundOn) {
  Setting setting =
      round_setting(std::make_shared<DraftTrace>(make_synthetic_trace("iid:1", 7).value()));
  Setting later = setting;
  later.edge.pass = {milliseconds(300)};
  later.trace = std::make_shared<DraftTrace>(make_synthetic_trace("iid:0", 7).value());
  setting.change_round = 2;
  setting.changed = std::make_shared<const Setting>(later);
  setting.rounds = 4;
  const Played run = play(setting, {.max_draft = 3});
  ASSERT_EQ(run.outcomes.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(run.outcomes[i].accepted, i < 2 ? 3U : 0U) << i;
    EXPECT_NEAR(run.outcomes[i].elapsed.value(), i < 2 ? 0.15 : 0.35, 1e-6) << i;
  }
}

TEST(Simulation, WindowSmallerThanChunkStillMoves) {
  Setting setting = round_setting(scripted_trace(std::vector<int>(64, 1), 16));
  setting.max_in_flight = 4;
  setting.rounds = 2;
  const Played run = play(setting, {.max_draft = 12, .chunk = 8, .window = 3});
  EXPECT_EQ(run.result.total().accepted, 24U);
}

TEST(Simulation, TargetWritesABurstForOneRoundTrip) {
  Setting setting = round_setting(scripted_trace(std::vector<int>(64, 0), 4));
  setting.rounds = 2;
  const Played run = play(setting, {.mode = control::RoundMode::kTargetOnly, .burst = 5});
  EXPECT_EQ(run.outcomes[0].committed, 5U);
  EXPECT_EQ(run.outcomes[0].passes, 5U);
  EXPECT_NEAR(run.outcomes[0].elapsed.value(), 0.010 + 0.500 + 0.010, 1e-9);
}

// Row i of the trace stands iff i is even: a draft that begins there is right for one token.
TEST(Simulation, DraftsTriedBesideABurstTakeJoulesAndNoTime) {
  std::vector<int> matches(64, 0);
  for (std::size_t i = 0; i < matches.size(); i += 2) {
    matches[i] = 1;
  }
  Setting setting = round_setting(scripted_trace(matches, 4));
  setting.rounds = 1;
  const control::RoundPlan burst{.mode = control::RoundMode::kTargetOnly, .burst = 10};
  const Played without = play(setting, burst);
  control::RoundPlan plan = burst;
  plan.max_draft = 3;
  plan.trial_at = 2;
  const Played with = play(setting, plan, 3);
  // After 2 tokens, verdict after 4; after 7, where the first token is wrong, verdict after 8.
  EXPECT_THAT(with.trials,
              ::testing::ElementsAre(PlannedPolicy::Trial{3, 1}, PlannedPolicy::Trial{3, 0}));
  EXPECT_EQ(with.outcomes[0].committed, 10U);
  EXPECT_EQ(with.outcomes[0].drafted, 0U);
  EXPECT_EQ(with.outcomes[0].elapsed, without.outcomes[0].elapsed);
  EXPECT_NEAR((with.outcomes[0].drafting - without.outcomes[0].drafting).value(),
              setting.profile.draft_time(300, 6).value(), 1e-9);
  EXPECT_GT(with.outcomes[0].energy, without.outcomes[0].energy);
  EXPECT_EQ(with.result.total().drafted, 0U);
}

// The device may be slower than what is left of the burst.
TEST(Simulation, ABurstIsOverWhenWhatIsTriedBesideItIsDrafted) {
  Setting setting = round_setting(scripted_trace(std::vector<int>(64, 1), 16));
  setting.rounds = 1;
  setting.edge.pass = {milliseconds(1)};
  const control::RoundPlan burst{.mode = control::RoundMode::kTargetOnly, .burst = 20};
  control::RoundPlan plan = burst;
  plan.max_draft = 16;
  plan.trial_at = 10;
  const Played with = play(setting, plan);
  EXPECT_THAT(with.trials, ::testing::ElementsAre(PlannedPolicy::Trial{10, 10}));
  EXPECT_GT(with.outcomes[0].elapsed, play(setting, burst).outcomes[0].elapsed);
  EXPECT_GT(with.outcomes[0].elapsed, with.outcomes[0].drafting);
}

TEST(Simulation, DraftOnlyNeedsNoEdge) {
  Setting setting = round_setting(scripted_trace(std::vector<int>(64, 1), 4));
  setting.rounds = 3;
  const Played run = play(setting, {.max_draft = 4, .mode = control::RoundMode::kDraftOnly});
  EXPECT_EQ(run.result.total().unverified, 12U);
  EXPECT_EQ(run.result.edge_passes, 0U);
  EXPECT_NEAR(run.result.elapsed.value(), 0.120, 1e-12);
}

TEST(Simulation, UnsureRowIsPaidForAndNotTaken) {
  auto trace = scripted_trace(std::vector<int>(64, 1), 4);
  trace->tokens[2].top1 = 0.3F;
  Setting setting = round_setting(trace);
  setting.rounds = 1;
  const Played run = play(setting, {.max_draft = 4, .min_top1 = 0.5F});
  EXPECT_EQ(run.outcomes[0].drafted, 2U);
  EXPECT_NEAR(run.outcomes[0].drafting.value(), 0.030, 1e-12);
}

TEST(Simulation, RoundNeverCommitsMoreThanTheTextHas) {
  for (const bool ended : {false, true}) {
    auto trace = scripted_trace(std::vector<int>(10, 1), 8);
    trace->prompts[0].ended = ended;
    Setting setting = round_setting(trace);
    setting.rounds = 20;
    const auto run = run_policy(setting, "static:7");
    ASSERT_TRUE(run);
    // 8 of 10 tokens, then the last two: drafting one and the bonus, or both and no bonus.
    EXPECT_EQ(run->total().tokens, 100U);
    EXPECT_EQ(run->total().drafted, ended ? 10U * (7U + 2U) : 10U * (7U + 1U));
  }
}

TEST(Simulation, DevicesShareTheEdgesPasses) {
  Setting setting = round_setting(scripted_trace(std::vector<int>(4000, 1), 8));
  setting.rounds = 200;
  setting.devices = 4;
  setting.edge.pass = {milliseconds(100), milliseconds(101)};  // + 1 ms per token
  const auto run = run_policy(setting, "static:3");
  ASSERT_TRUE(run);
  const DeviceTotals total = run->total();
  EXPECT_EQ(total.rounds, 800U);
  EXPECT_EQ(total.passes, 800U);
  EXPECT_LT(run->edge_passes, 500U);  // batched; alone each round has its own
  EXPECT_GE(run->edge_passes, 200U);
  EXPECT_LE(run->edge_busy, run->elapsed);
}

TEST(Simulation, ADeviceIsToldOfTheFleet) {
  Setting setting = round_setting(scripted_trace(std::vector<int>(4000, 1), 8));
  setting.rounds = 50;
  setting.edge.pass = {milliseconds(100), milliseconds(102)};
  setting.others = 3;
  setting.others_policy = "edge-only";
  const auto seen = play(setting, {.max_draft = 3}).contexts;
  for (const control::RoundContext& context : seen) {
    EXPECT_EQ(context.cost.devices, 4.0);
    EXPECT_EQ(context.cost.verify_base, milliseconds(100)) << "its own token alone";
  }
  EXPECT_GT(seen.back().cost.queue, milliseconds(1));
  EXPECT_GT(seen.back().cost.others, milliseconds(1));
  EXPECT_EQ(seen.front().cost.queue, Seconds());
}

// What policy `gelato` expects of a fleet in which all draft is what the simulator makes of it.
TEST(Simulation, AFleetThatDraftsIsAsForeseen) {
  for (const std::uint32_t devices : {2U, 4U, 8U, 32U}) {
    for (const double away : {0.02, 0.05}) {
      Setting setting =
          round_setting(std::make_shared<DraftTrace>(make_synthetic_trace("iid:0.7", 7).value()));
      setting.profile.draft_token = milliseconds(5);
      setting.link.delay = Seconds(away);
      setting.edge.pass = {milliseconds(40), milliseconds(41)};
      setting.devices = devices;
      setting.rounds = 400;
      const auto run = run_policy(setting, "svip");
      ASSERT_TRUE(run) << run.error().message;
      const DeviceTotals total = run->total();
      const auto rounds = static_cast<double>(total.rounds);
      const double usual = static_cast<double>(total.drafted) / rounds;
      control::CostEstimate cost;
      cost.draft_token = milliseconds(5);
      cost.round_trip = 2.0 * Seconds(away);
      cost.verify_base = milliseconds(40);
      cost.verify_token = milliseconds(1);
      cost.devices = devices;
      const auto foreseen = control::if_all_did(cost, usual).draft;
      const double time = control::away_time(foreseen).value() + usual * 0.005 +
                          control::verify_time(foreseen, 0).value() +
                          usual * foreseen.verify_token.value();
      EXPECT_NEAR(time / (total.elapsed.value() / rounds), 1.0, 0.16)
          << devices << " devices, " << away << " s each way";
    }
  }
}

TEST(Simulation, SharedCellHasOneUplink) {
  Setting setting = round_setting(scripted_trace(std::vector<int>(4000, 1), 8));
  setting.link = link::parse_link_spec("up=8kbit,down=100gbit,delay=0ms").value();
  setting.wire.up_bytes = 97;  // 100 ms a message
  setting.edge.pass = {milliseconds(1)};
  setting.rounds = 100;
  setting.devices = 4;
  const auto own = run_policy(setting, "static:3");
  setting.shared_cell = true;
  const auto shared = run_policy(setting, "static:3");
  ASSERT_TRUE(own && shared);
  EXPECT_NEAR(own->elapsed.value(), 100 * 0.131, 1.0);
  EXPECT_NEAR(shared->elapsed.value(), 400 * 0.1, 1.0);
}

TEST(Simulation, OtherDevicesLoadTheEdge) {
  Setting setting = round_setting(scripted_trace(std::vector<int>(4000, 1), 8));
  setting.rounds = 100;
  const auto alone = run_policy(setting, "static:3");
  setting.others = 3;
  setting.others_policy = "static:1";
  const auto loaded = run_policy(setting, "static:3");
  ASSERT_TRUE(alone && loaded);
  EXPECT_EQ(loaded->devices.size(), 1U);
  EXPECT_GT(loaded->elapsed.value(), 1.2 * alone->elapsed.value());
}

TEST(Simulation, SameSeedSameRun) {
  Setting setting = round_setting(
      std::make_shared<DraftTrace>(make_synthetic_trace("entropy:0.35,0.6", 3).value()));
  setting.link = link::parse_link_spec(
                     "fading=rayleigh,bandwidth=1mhz,power=23dbm,distance=300m,delay=5ms,"
                     "jitter=4ms,loss=1%")
                     .value();
  setting.rounds = 300;
  const auto a = run_policy(setting, "gelato-paper", 5);
  const auto b = run_policy(setting, "gelato-paper", 5);
  const auto c = run_policy(setting, "gelato-paper", 6);
  ASSERT_TRUE(a && b && c);
  EXPECT_EQ(a->elapsed, b->elapsed);
  EXPECT_EQ(a->total().tokens, b->total().tokens);
  EXPECT_NE(a->elapsed, c->elapsed);
}

TEST(Simulation, RefusesWhatCannotRun) {
  Setting setting = round_setting(scripted_trace({1, 1}, 2));
  setting.prompt_set = "maths";
  auto run = run_policy(setting, "static:1");
  ASSERT_FALSE(run);
  EXPECT_THAT(run.error().message, HasSubstr("no prompts of the set 'maths'"));
  setting.prompt_set.clear();
  run = simulate(setting, {}, {.seed = 0, .observer = nullptr, .foresight = {}});
  ASSERT_FALSE(run);
  EXPECT_THAT(run.error().message, HasSubstr("0 policies for 1 devices"));
  setting.others = 1;
  setting.others_policy = "nonsense";
  run = run_policy(setting, "static:1");
  ASSERT_FALSE(run);
  EXPECT_THAT(run.error().message, HasSubstr("there is no policy"));
}

}  // namespace
}  // namespace gelato::sim
