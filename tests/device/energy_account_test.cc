// Energy of rounds: modelled, measured, measured by a slow meter, gaps; and through the round loop.
#include "gelato/device/energy_account.h"

#include <gtest/gtest.h>

#include <deque>

#include "gelato/device/round_loop.h"
#include "gelato/energy/rapl_meter.h"
#include "tests/energy/sysfs_tree.h"
#include "tests/support/toy_model.h"

namespace gelato::device {
namespace {

constexpr double kTiny = 1e-9;

energy::DeviceProfile profile() {
  energy::DeviceProfile p;
  p.name = "test";
  p.draft_token = Seconds(0.01);
  p.draft_power = Watts(6.0);
  p.radiated = Watts(0.2);
  p.amplifier_efficiency = 0.2;  // 1 W
  p.tx_circuit = Watts(1.0);
  p.rx_circuit = Watts(0.5);
  p.idle = Watts(2.0);  // so sending takes 4 W, receiving 2.5 W
  return p;
}

// Shows what the test says, and can fail.
class ScriptedMeter final : public energy::EnergyMeter {
 public:
  explicit ScriptedMeter(Watts power, Seconds interval = {}) : power_(power) {
    info_.source = "rapl";
    info_.sampling_interval = interval;
  }
  Result<Joules> read(Seconds now) override {
    ++reads;
    if (broken) {
      return fail(ErrorCode::kIo, "the sensor's file cannot be read");
    }
    if (gap) {
      gap = false;
      unmeasured_ += now - last_;
      last_ = now;
      return fail(ErrorCode::kUnavailable, "the counter was reset");
    }
    total_ += power_ * (now - last_);
    last_ = now;
    return total_;
  }
  [[nodiscard]] Seconds unmeasured() const override { return unmeasured_; }
  [[nodiscard]] const energy::MeterInfo& info() const override { return info_; }

  bool broken = false;
  bool gap = false;
  int reads = 0;

 private:
  Watts power_;
  energy::MeterInfo info_;
  Joules total_;
  Seconds last_;
  Seconds unmeasured_;
};

TEST(EnergyAccount, ModelsEachPhaseOfARound) {
  auto account = EnergyAccount::modelled(profile());
  Bits sent;
  account.watch([&] {
    return EnergyAccount::LinkUse{sent, sent, BitsPerSecond(1e6), BitsPerSecond(2e6)};
  });
  account.begin(Seconds(5.0));
  sent = Bits(1e5);  // 0.1 s up, 0.05 s down
  EXPECT_NEAR(account.lap(Seconds(0.3), Seconds(6.0)).value(),
              6.0 * 0.3 + 4.0 * 0.1 + 2.5 * 0.05 + 2.0 * 0.55, kTiny);
  EXPECT_NEAR(account.ledger().split().tx.value(), 0.4, kTiny);
  EXPECT_NEAR(account.ledger().paper_accounting().value(), 2.2, kTiny);
  EXPECT_EQ(account.ledger().basis(), energy::EnergyBasis::kModelled);
  EXPECT_EQ(account.source(), "model:test");
  // Nothing more was sent: the next second is waiting.
  EXPECT_NEAR(account.lap(Seconds(), Seconds(7.0)).value(), 2.0, kTiny);
  account.begin(Seconds(8.0));
  EXPECT_EQ(account.ledger().total(), Joules());
}

TEST(EnergyAccount, PricesComeFromTheProfile) {
  const auto account = EnergyAccount::modelled(profile());
  control::CostEstimate cost;
  cost.draft_token = Seconds(0.02);
  account.estimate(cost);
  EXPECT_NEAR(cost.draft_token_energy.value(), 0.12, kTiny);
  EXPECT_NEAR(cost.tx_power.value(), 4.0, kTiny);
  EXPECT_NEAR(cost.wait_power.value(), 2.0, kTiny);
}

TEST(EnergyAccount, AMeasuredTotalIsDividedByTheProfileAndScalesItsPrices) {
  auto account = EnergyAccount::measured(std::make_unique<ScriptedMeter>(Watts(8.0)), profile());
  account.begin(Seconds(1.0));
  // Modelled 6 x 0.5 + 2 x 0.5 = 4 J; measured 8 J: twice as much.
  EXPECT_NEAR(account.lap(Seconds(0.5), Seconds(2.0)).value(), 8.0, kTiny);
  account.finish(Seconds(2.0));
  EXPECT_NEAR(account.ledger().split().draft.value(), 6.0, kTiny);
  EXPECT_NEAR(account.ledger().measured().value(), 8.0, kTiny);
  EXPECT_EQ(account.ledger().basis(), energy::EnergyBasis::kMeasured);
  EXPECT_EQ(account.source(), "rapl");
  EXPECT_EQ(account.split_source(), "model:test");
  EXPECT_EQ(account.unmeasured(), Seconds());
  control::CostEstimate cost;
  account.estimate(cost);
  EXPECT_NEAR(cost.wait_power.value(), 4.0, kTiny);
}

TEST(EnergyAccount, WithoutAProfileATotalIsDividedByTime) {
  auto account = EnergyAccount::measured(std::make_unique<ScriptedMeter>(Watts(8.0)), std::nullopt);
  account.begin(Seconds(0.0));
  account.lap(Seconds(0.25), Seconds(1.0));
  EXPECT_NEAR(account.ledger().split().draft.value(), 2.0, kTiny);
  EXPECT_NEAR(account.ledger().split().wait.value(), 6.0, kTiny);
  EXPECT_EQ(account.split_source(), "time");
  control::CostEstimate cost;
  cost.draft_token = Seconds(0.1);
  account.estimate(cost);
  EXPECT_NEAR(cost.draft_token_energy.value(), 0.8, kTiny);  // the mean power
}

TEST(EnergyAccount, ASlowMeterIsReadAtItsOwnPaceAndSumsToItsTotal) {
  auto owned = std::make_unique<ScriptedMeter>(Watts(8.0), Seconds(1.0));
  const ScriptedMeter& meter = *owned;
  auto account = EnergyAccount::measured(std::move(owned), profile());
  account.begin(Seconds(0.0));
  EXPECT_EQ(account.lap(Seconds(), Seconds(0.5)), Joules());  // nothing is known yet
  EXPECT_EQ(account.lap(Seconds(), Seconds(1.0)).value(), 4.0);
  const int reads = meter.reads;
  EXPECT_NEAR(account.lap(Seconds(0.1), Seconds(1.1)).value(), 2.4, kTiny);  // 4 x the model
  EXPECT_EQ(meter.reads, reads);
  account.finish(Seconds(1.1));
  EXPECT_NEAR(account.ledger().total().value(), 8.8, kTiny);
  EXPECT_NEAR(account.ledger().measured().value(), 8.8, kTiny);
}

TEST(EnergyAccount, AfterAGapTheRoundIsModelledAndTheTimeIsUnmeasured) {
  auto owned = std::make_unique<ScriptedMeter>(Watts(8.0));
  ScriptedMeter& meter = *owned;
  auto account = EnergyAccount::measured(std::move(owned), profile());
  account.begin(Seconds(0.0));
  account.lap(Seconds(), Seconds(1.0));
  meter.gap = true;
  EXPECT_NEAR(account.lap(Seconds(), Seconds(2.0)).value(), 8.0, kTiny);  // the scaled model
  account.lap(Seconds(), Seconds(3.0));
  account.finish(Seconds(3.0));
  EXPECT_NEAR(account.ledger().total().value(), 8.0 + 2.0 + 8.0, kTiny);
  EXPECT_NEAR(account.ledger().measured().value(), 16.0, kTiny);
  EXPECT_EQ(account.ledger().basis(), energy::EnergyBasis::kMixed);
  EXPECT_EQ(account.unmeasured(), Seconds(1.0));
}

TEST(EnergyAccount, AReadThatFailsIsMadeUpByTheNextOne) {
  auto owned = std::make_unique<ScriptedMeter>(Watts(8.0));
  ScriptedMeter& meter = *owned;
  auto account = EnergyAccount::measured(std::move(owned), profile());
  account.begin(Seconds(0.0));
  meter.broken = true;
  account.lap(Seconds(), Seconds(1.0));
  meter.broken = false;
  account.lap(Seconds(), Seconds(2.0));
  EXPECT_NEAR(account.ledger().total().value(), 16.0, kTiny);
  EXPECT_EQ(account.unmeasured(), Seconds());
  meter.broken = true;
  account.lap(Seconds(), Seconds(3.0));
  account.finish(Seconds(3.0));
  EXPECT_EQ(account.unmeasured(), Seconds(1.0));
}

TEST(EnergyAccount, APauseBetweenGenerationsIsNobodysEnergy) {
  auto owned = std::make_unique<ScriptedMeter>(Watts(8.0));
  ScriptedMeter& meter = *owned;
  auto account = EnergyAccount::measured(std::move(owned), std::nullopt);
  account.begin(Seconds(0.0));
  account.lap(Seconds(), Seconds(1.0));
  account.finish(Seconds(1.0));
  meter.gap = true;  // a meter that cannot span the pause
  account.begin(Seconds(500.0));
  account.lap(Seconds(), Seconds(501.0));
  account.finish(Seconds(501.0));
  EXPECT_NEAR(account.ledger().total().value(), 8.0, kTiny);
  EXPECT_EQ(account.unmeasured(), Seconds());
}

// A toy whose every draft token takes 10 ms and every pass 50 ms.
class TimedDrafter final : public spec::Drafter {
 public:
  TimedDrafter(spec::Drafter& inner, VirtualClock& clock) : inner_(inner), clock_(clock) {}
  Result<void> start(std::span<const spec::Token> prompt) override { return inner_.start(prompt); }
  Result<std::optional<spec::RowStats>> draft_one(spec::Draft& draft, float min_top1) override {
    clock_.advance(milliseconds(10));
    return inner_.draft_one(draft, min_top1);
  }
  Result<void> commit(std::uint32_t accepted, spec::Token next) override {
    return inner_.commit(accepted, next);
  }

 private:
  spec::Drafter& inner_;
  VirtualClock& clock_;
};

class TimedVerifier final : public spec::Verifier {
 public:
  TimedVerifier(spec::Verifier& inner, VirtualClock& clock, std::function<void()> tick)
      : inner_(inner), clock_(clock), tick_(std::move(tick)) {}
  Result<void> start(std::span<const spec::Token> prompt) override {
    clock_.advance(milliseconds(200));
    tick_();
    return inner_.start(prompt);
  }
  Result<spec::Verdict> verify(const spec::Draft& draft) override {
    clock_.advance(milliseconds(50));
    tick_();
    return inner_.verify(draft);
  }

 private:
  spec::Verifier& inner_;
  VirtualClock& clock_;
  std::function<void()> tick_;
};

class CountingSink final : public TokenSink {
 public:
  bool on_commit(std::span<const CommittedToken> tokens) override {
    count += tokens.size();
    return true;
  }
  std::size_t count = 0;
};

// Always three tokens; adds up what it hears.
class Listening final : public control::Policy {
 public:
  control::RoundPlan begin_round(const control::RoundContext& context) override {
    last = context.cost;
    control::RoundPlan plan;
    plan.max_draft = 3;
    return plan;
  }
  bool keep_drafting(const control::DraftState&) override { return true; }
  void end_round(const control::RoundOutcome& outcome) override { heard += outcome.energy; }
  [[nodiscard]] std::string name() const override { return "listening"; }
  control::CostEstimate last;
  Joules heard;
};

TEST(EnergyAccount, TheLoopTellsThePolicyWhatARoundCostAndWhatTheNextWill) {
  const auto model = toy::ToyModel::random({.n_vocab = 5, .order = 2}, 1);
  VirtualClock clock;
  toy::ToyVerifier target(model, spec::Mode::kGreedy, 1);
  toy::ToyDrafter draft(model, spec::Mode::kGreedy, 1);
  TimedVerifier verifier(target, clock, [] {});
  TimedDrafter drafter(draft, clock);
  auto account = EnergyAccount::modelled(profile());
  Listening policy;
  CountingSink sink;
  RoundLoop loop(
      verifier, clock,
      {.max_tokens = 40, .context_tokens = 100, .end_of_generation = {}, .energy = &account});
  loop.speculate(drafter, policy);
  const auto stats = loop.run(std::vector<spec::Token>{0, 1}, sink);
  ASSERT_TRUE(stats.has_value());
  EXPECT_EQ(sink.count, 40U);
  const double draft_s = 0.010 * 30;
  EXPECT_NEAR(account.ledger().split().draft.value(), 6.0 * draft_s, 1e-6);
  EXPECT_NEAR(account.ledger().total().value(),
              6.0 * draft_s + 2.0 * (stats->total.value() - draft_s), 1e-6);
  // The prompt is part of the generation, and of no round.
  EXPECT_NEAR(policy.heard.value(), account.ledger().total().value() - 2.0 * 0.2, 1e-6);
  EXPECT_NEAR(policy.last.draft_token_energy.value(), 6.0 * 0.010, 1e-6);
  EXPECT_NEAR(policy.last.wait_power.value(), 2.0, kTiny);
}

// The meters of the energy module, on a tree that the time of the loop moves.
TEST(EnergyAccount, RaplThroughTheLoopSumsToTheCounter) {
  const energy::SysfsTree tree("class/powercap");
  tree.write("intel-rapl:0/name", "package-0");
  tree.write("intel-rapl:0/max_energy_range_uj", 262143328850);
  tree.write("intel-rapl:0/energy_uj", 262143000000);
  VirtualClock clock;
  auto meter = energy::RaplMeter::open(tree.root(), clock.now());
  ASSERT_TRUE(meter.has_value()) << meter.error().message;
  auto account = EnergyAccount::measured(std::move(*meter), std::nullopt);
  const auto model = toy::ToyModel::random({.n_vocab = 5, .order = 2}, 1);
  toy::ToyVerifier target(model, spec::Mode::kGreedy, 1);
  long long counter = 262143000000;
  TimedVerifier verifier(target, clock, [&] {
    counter = (counter + 500000) % 262143328851;  // 10 W at 50 ms; it wraps in the first pass
    tree.write("intel-rapl:0/energy_uj", counter);
  });
  CountingSink sink;
  RoundLoop loop(
      verifier, clock,
      {.max_tokens = 10, .context_tokens = 100, .end_of_generation = {}, .energy = &account});
  ASSERT_TRUE(loop.run(std::vector<spec::Token>{0, 1}, sink).has_value());
  EXPECT_NEAR(account.ledger().total().value(), 11 * 0.5, 1e-5);
  EXPECT_EQ(account.source(), "rapl");
  EXPECT_EQ(account.unmeasured(), Seconds());
}

}  // namespace
}  // namespace gelato::device
