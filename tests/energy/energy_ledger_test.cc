#include "gelato/energy/energy_ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "gelato/base/rng.h"
#include "gelato/energy/model_meter.h"

namespace gelato::energy {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

DeviceProfile profile() {
  DeviceProfile p;
  p.name = "test";
  p.draft_power = Watts(10.0);
  p.radiated = Watts(0.2);
  p.amplifier_efficiency = 0.4;
  p.tx_circuit = Watts(1.5);
  p.rx_circuit = Watts(0.5);
  p.idle = Watts(2.0);
  return p;
}

TEST(PhaseTimes, DivideARoundIntoItsParts) {
  const auto times = phase_times({.elapsed = Seconds(1.0),
                                  .drafting = Seconds(0.25),
                                  .sent = Bits(1000),
                                  .received = Bits(500),
                                  .uplink = BitsPerSecond(10'000),
                                  .downlink = BitsPerSecond(10'000)})
                         .value();
  EXPECT_DOUBLE_EQ(times.draft.value(), 0.25);
  EXPECT_DOUBLE_EQ(times.tx.value(), 0.1);
  EXPECT_DOUBLE_EQ(times.rx.value(), 0.05);
  EXPECT_DOUBLE_EQ(times.wait.value(), 0.6);
}

TEST(PhaseTimes, CountTransfersAtAnUnknownRateAsWaiting) {
  const auto times =
      phase_times({.elapsed = Seconds(1), .drafting = Seconds(0.5), .sent = Bits(1e6)}).value();
  EXPECT_EQ(times.tx, Seconds(0));
  EXPECT_EQ(times.wait, Seconds(0.5));
}

TEST(PhaseTimes, ShareTheRestWhenTheTransfersDoNotFit) {
  const auto times = phase_times({.elapsed = Seconds(1.0),
                                  .drafting = Seconds(0.5),
                                  .sent = Bits(3000),
                                  .received = Bits(1000),
                                  .uplink = BitsPerSecond(1000),
                                  .downlink = BitsPerSecond(1000)})
                         .value();
  EXPECT_DOUBLE_EQ(times.tx.value(), 0.375);
  EXPECT_DOUBLE_EQ(times.rx.value(), 0.125);
  EXPECT_NEAR(times.wait.value(), 0.0, 1e-15);
}

TEST(PhaseTimes, AlwaysSumToTheRoundWhateverTheNumbers) {
  Rng rng(3, "phase_times");
  const auto number = [&rng] {
    return rng.below(8) == 0 ? 0.0 : std::pow(10.0, 600.0 * rng.uniform() - 320.0);
  };
  for (int i = 0; i < 20'000; ++i) {
    const RoundUsage usage{Seconds(number()), Seconds(number()),       Bits(number()),
                           Bits(number()),    BitsPerSecond(number()), BitsPerSecond(number())};
    const auto times = phase_times(usage).value();
    for (const Seconds t : {times.draft, times.tx, times.rx, times.wait}) {
      ASSERT_GE(t, Seconds(0));
      ASSERT_TRUE(std::isfinite(t.value()));
    }
    ASSERT_NEAR(times.total().value(), usage.elapsed.value(),
                1e-12 * usage.elapsed.value() + 1e-300);
  }
}

TEST(PhaseTimes, RefuseWhatIsNoAmount) {
  for (const double bad : {-1.0, kInf, std::nan("")}) {
    EXPECT_FALSE(phase_times({.elapsed = Seconds(bad)}).has_value());
    EXPECT_FALSE(phase_times({.sent = Bits(bad)}).has_value());
    EXPECT_FALSE(phase_times({.uplink = BitsPerSecond(bad)}).has_value());
  }
}

TEST(ModelMeter, ChargesEachPhaseItsPower) {
  ModelMeter meter(profile());
  EXPECT_EQ(meter.source(), "model:test");
  EXPECT_THAT(meter.info().covers, testing::HasSubstr("a model, not a measurement"));
  EXPECT_EQ(meter.read(Seconds(0)).value(), Joules(0));
  const auto energy =
      meter.report({Seconds(0.1), Seconds(0.2), Seconds(0.3), Seconds(0.4)}).value();
  EXPECT_DOUBLE_EQ(energy.draft.value(), 1.0);
  EXPECT_DOUBLE_EQ(energy.tx.value(), 0.2 * (2.0 + 1.5 + 0.5));
  EXPECT_DOUBLE_EQ(energy.rx.value(), 0.3 * 2.5);
  EXPECT_DOUBLE_EQ(energy.wait.value(), 0.8);
  EXPECT_DOUBLE_EQ(energy.paper_accounting().value(), 1.8);
  EXPECT_DOUBLE_EQ(meter.read(Seconds(0)).value().value(), energy.total().value());
}

TEST(ModelMeter, RefusesDurationsThatAreNone) {
  ModelMeter meter(profile());
  for (const double bad : {-1e-9, kInf, std::nan(""), 1e308}) {
    EXPECT_EQ(meter.report({Seconds(1), Seconds(bad), Seconds(0), Seconds(0)}).error().code,
              ErrorCode::kInvalidArgument);
  }
  EXPECT_EQ(meter.read(Seconds(1)).value(), Joules(0));
}

TEST(EnergyLedger, SumsToTheMeter) {
  ModelMeter meter(profile());
  EnergyLedger ledger;
  EXPECT_EQ(to_string(ledger.basis()), "none");
  Rng rng(5, "ledger");
  Joules draft_and_tx;
  for (int round = 0; round < 1000; ++round) {
    const auto energy = meter
                            .report({Seconds(rng.uniform()), Seconds(rng.uniform()),
                                     Seconds(rng.uniform()), Seconds(rng.uniform())})
                            .value();
    ASSERT_TRUE(ledger.add_modelled(energy).has_value());
    draft_and_tx += energy.draft + energy.tx;
  }
  const double measured = meter.read(Seconds(0)).value().value();
  EXPECT_NEAR(ledger.total().value(), measured, 1e-12 * measured);
  EXPECT_NEAR(ledger.paper_accounting().value(), draft_and_tx.value(), 1e-9);
  EXPECT_LT(ledger.paper_accounting(), ledger.total());
  EXPECT_EQ(ledger.measured(), Joules(0));
  EXPECT_EQ(to_string(ledger.basis()), "model");
}

TEST(EnergyLedger, SplitsAMeasuredTotalAsTheModelWould) {
  EnergyLedger ledger;
  const PhaseJoules modelled{Joules(1), Joules(2), Joules(3), Joules(4)};
  ASSERT_TRUE(ledger.add_measured(Joules(20), modelled).has_value());
  EXPECT_DOUBLE_EQ(ledger.split().draft.value(), 2.0);
  EXPECT_DOUBLE_EQ(ledger.split().tx.value(), 4.0);
  EXPECT_DOUBLE_EQ(ledger.split().rx.value(), 6.0);
  EXPECT_DOUBLE_EQ(ledger.split().wait.value(), 8.0);
  EXPECT_DOUBLE_EQ(ledger.total().value(), 20.0);
  EXPECT_EQ(ledger.measured(), Joules(20));
  EXPECT_EQ(to_string(ledger.basis()), "measured-total-modelled-split");
  // A model that knows nothing of the round cannot divide it.
  ASSERT_TRUE(ledger.add_measured(Joules(5), {}).has_value());
  EXPECT_DOUBLE_EQ(ledger.split().wait.value(), 13.0);
}

TEST(EnergyLedger, SaysWhenItMixesMeasuredAndModelledRounds) {
  EnergyLedger ledger;
  ASSERT_TRUE(ledger.add_measured(Joules(2), {Joules(1), {}, {}, {}}).has_value());
  ASSERT_TRUE(ledger.add_modelled({Joules(1), {}, {}, {}}).has_value());
  EXPECT_EQ(to_string(ledger.basis()), "mixed");
  EXPECT_EQ(ledger.total(), Joules(3));
  EXPECT_EQ(ledger.measured(), Joules(2));
}

TEST(EnergyLedger, RefusesWhatIsNoEnergyAndStaysAsItWas) {
  EnergyLedger ledger;
  ASSERT_TRUE(ledger.add_modelled({Joules(1), {}, {}, {}}).has_value());
  const PhaseJoules good{Joules(1), {}, {}, {}};
  for (const double bad : {-1.0, kInf, std::nan(""), -1e-300}) {
    EXPECT_FALSE(ledger.add_modelled({Joules(1), Joules(bad), {}, {}}).has_value());
    EXPECT_FALSE(ledger.add_measured(Joules(bad), good).has_value());
    EXPECT_FALSE(ledger.add_measured(Joules(1), {Joules(bad), {}, {}, {}}).has_value());
  }
  const double huge = std::numeric_limits<double>::max();
  EXPECT_FALSE(ledger.add_modelled({Joules(huge), Joules(huge), {}, {}}).has_value());
  EXPECT_EQ(ledger.split(), good);
  EXPECT_EQ(to_string(ledger.basis()), "model");
}

}  // namespace
}  // namespace gelato::energy
