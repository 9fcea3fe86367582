#include "gelato/profile_measurement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace gelato::cli {
namespace {

using ::testing::HasSubstr;

TEST(DraftTimes, TheLineGoesThroughTheSamples) {
  std::vector<DraftSample> samples;
  for (const double context : {20.0, 250.0, 500.0, 1000.0}) {
    samples.push_back({context, Seconds(0.015 + 2e-6 * context)});
  }
  const DraftLine line = fit_draft_times(samples);
  EXPECT_NEAR(line.base.value(), 0.015, 1e-12);
  EXPECT_NEAR(line.slope.value(), 2e-6, 1e-15);
}

TEST(DraftTimes, NoiseGivesNeitherANegativeSlopeNorANegativeBase) {
  const std::vector<DraftSample> falling = {{10.0, Seconds(0.03)}, {1000.0, Seconds(0.01)}};
  EXPECT_EQ(fit_draft_times(falling).slope, Seconds());
  EXPECT_NEAR(fit_draft_times(falling).base.value(), 0.02, 1e-12);
  const std::vector<DraftSample> steep = {{900.0, Seconds(0.001)}, {1000.0, Seconds(0.01)}};
  EXPECT_GT(fit_draft_times(steep).base, Seconds());
  EXPECT_EQ(fit_draft_times(steep).slope, Seconds());
  const std::vector<DraftSample> one = {{10.0, Seconds(0.03)}};
  EXPECT_EQ(fit_draft_times(one).base, Seconds(0.03));
}

class MachineProfile : public testing::Test {
 protected:
  energy::DeviceProfile phone = energy::find_profile("phone", "assets/profiles").value();
  MachineFacts facts{.cpu = "a \"quoted\" processor",
                     .draft_model = "draft.gguf",
                     .threads = 2,
                     .draft = {.base = Seconds(0.02), .slope = Seconds(1e-6)},
                     .measured = {},
                     .meter = {},
                     .given_draft = {},
                     .given_idle = {},
                     .radio = &phone};

  static const energy::Citation& find(const energy::DeviceProfile& profile, std::string_view key) {
    for (const energy::Citation& number : profile.citations) {
      if (number.key == key) {
        return number;
      }
    }
    ADD_FAILURE() << key;
    return profile.citations.front();
  }
};

TEST_F(MachineProfile, WithoutAMeterPowersAreEstimatesThatSaySo) {
  const auto profile = machine_profile(facts);
  ASSERT_TRUE(profile.has_value()) << profile.error().message;
  EXPECT_EQ(profile->name, "this-machine");
  EXPECT_EQ(profile->draft_token, Seconds(0.02));
  EXPECT_FALSE(find(*profile, "draft.token_s").estimate);
  for (const char* key :
       {"draft.power_w", "device.idle_w", "radio.radiated_dbm", "radio.amplifier_efficiency",
        "radio.tx_circuit_w", "radio.rx_circuit_w"}) {
    EXPECT_TRUE(find(*profile, key).estimate) << key;
    EXPECT_THAT(find(*profile, key).source, HasSubstr("Estimate")) << key;
  }
  EXPECT_EQ(profile->draft_power, Watts(13.0));
}

TEST_F(MachineProfile, AMeasurementIsTakenAndAWordOfTheUserGoesBeforeIt) {
  facts.measured = PowerPair{.idle = Watts(3.0), .draft = Watts(9.0)};
  facts.meter = "rapl, which covers the processor";
  facts.given_idle = Watts(2.0);
  const auto profile = machine_profile(facts);
  ASSERT_TRUE(profile.has_value()) << profile.error().message;
  EXPECT_EQ(profile->draft_power, Watts(9.0));
  EXPECT_EQ(profile->idle, Watts(2.0));
  EXPECT_THAT(find(*profile, "draft.power_w").source, HasSubstr("rapl"));
  EXPECT_FALSE(find(*profile, "draft.power_w").estimate);
  EXPECT_THAT(find(*profile, "device.idle_w").source, HasSubstr("given"));
}

TEST_F(MachineProfile, WhatMakesNoProfileIsRefused) {
  facts.given_idle = Watts(50.0);  // above the 13 W of drafting
  const auto profile = machine_profile(facts);
  ASSERT_FALSE(profile.has_value());
  EXPECT_EQ(profile.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(profile.error().message, HasSubstr("idle_w"));
}

}  // namespace
}  // namespace gelato::cli
