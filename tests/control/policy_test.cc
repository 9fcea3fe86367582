#include "gelato/control/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "gelato/base/rng.h"
#include "gelato/control/policy_kind.h"
#include "tests/control/drive.h"
#include "tests/control/script.h"

namespace gelato::control {
namespace {

using ::testing::HasSubstr;

std::string error_of(std::string_view text) {
  const auto policy = make_policy(text);
  if (policy) {
    return "accepted";
  }
  EXPECT_EQ(policy.error().code, ErrorCode::kInvalidArgument);
  return policy.error().message;
}

// A policy string with every required parameter at its smallest value.
std::string simplest_text(const PolicyKind& kind) {
  std::string out(kind.name);
  for (const Parameter& p : kind.parameters) {
    if (std::isnan(p.fallback)) {
      out += fmt::format("{}{}", out == kind.name ? ":" : ",", p.min);
    }
  }
  return out;
}

TEST(MakePolicy, TakesPositionalAndNamedParameters) {
  EXPECT_EQ(make_policy("static:7").value()->name(), "static:7");
  EXPECT_EQ(make_policy("static:length=7").value()->name(), "static:7");
  EXPECT_EQ(make_policy("p-min").value()->name(), "p-min:0.75,16");
  EXPECT_EQ(make_policy("p-min:0.5").value()->name(), "p-min:0.5,16");
  EXPECT_EQ(make_policy("p-min:length=4").value()->name(), "p-min:0.75,4");
  EXPECT_EQ(make_policy("p-min:0.5,length=4").value()->name(), "p-min:0.5,4");
  EXPECT_EQ(make_policy("edge-only").value()->name(), "edge-only");
}

TEST(MakePolicy, RefusesLengthsOutsideTheRangeInOneSentence) {
  for (const std::string bad :
       {"0", "-1", "1e9", "65", "4.5", "nan", "inf", "4x", "", " 4", "+4"}) {
    const std::string message = error_of("static:length=" + bad);
    EXPECT_EQ(
        message,
        "policy static: length (tokens per draft) must be a whole number from 1 to 64, not \"" +
            bad + "\"");
  }
  EXPECT_EQ(error_of("p-min:0"),
            "policy p-min: p (least top-1 probability) must be a number above 0 and up to 1, not "
            "\"0\"");
}

TEST(MakePolicy, NamesThePartThatIsWrong) {
  EXPECT_EQ(error_of("static"),
            "policy static: length (tokens per draft) is missing; write static:length");
  EXPECT_EQ(error_of("static:"), "policy static: nothing follows the colon; write static:length");
  EXPECT_EQ(error_of("static:4,5"),
            "policy static: \"5\" is one value too many; write static:length");
  EXPECT_EQ(error_of("static:4,"),
            "policy static: a value is missing after the last comma; write static:length");
  EXPECT_EQ(error_of("static:n=4"),
            "policy static: there is no parameter \"n\"; write static:length");
  EXPECT_EQ(error_of("p-min:0.5,p=0.6"),
            "policy p-min: p is given twice; write p-min[:p[,length]]");
  EXPECT_EQ(error_of("p-min:length=3,0.6"),
            "policy p-min: \"0.6\" needs its name, like the value before it; write "
            "p-min[:p[,length]]");
  EXPECT_EQ(error_of("edge-only:4"),
            "policy edge-only: \"4\" is one value too many; write edge-only");
}

TEST(MakePolicy, SuggestsTheNearestName) {
  EXPECT_THAT(error_of("statc:4"),
              HasSubstr("there is no policy \"statc\" (did you mean static?)"));
  EXPECT_THAT(error_of("pmin"), HasSubstr("did you mean p-min?"));
  EXPECT_THAT(error_of("banana"), ::testing::Not(HasSubstr("did you mean")));
  EXPECT_THAT(error_of(""), HasSubstr("choose one of static, p-min"));
  EXPECT_THAT(error_of("\x01\n\xff"), HasSubstr("\"???\""));
  EXPECT_THAT(error_of(std::string(2000, 'a')), HasSubstr("longer than 1024 characters"));
}

TEST(PolicyKinds, AreBuiltDescribedAndRebuiltFromTheirNames) {
  const std::string help = policy_help();
  for (const PolicyKind* kind : policy_kinds()) {
    EXPECT_THAT(help, HasSubstr(usage(*kind)));
    const auto policy = make_policy(simplest_text(*kind));
    ASSERT_TRUE(policy) << policy.error().message;
    const std::string name = (*policy)->name();
    const auto again = make_policy(name);
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ((*again)->name(), name);
  }
}

TEST(PolicyKinds, TakeBothEndsOfEveryRange) {
  for (const PolicyKind* kind : policy_kinds()) {
    for (const Parameter& p : kind->parameters) {
      std::string others;
      for (const Parameter& other : kind->parameters) {
        if (std::isnan(other.fallback) && other.name != p.name) {
          others += fmt::format(",{}={}", other.name, other.min);
        }
      }
      const auto with = [&](double value) {
        return make_policy(fmt::format("{}:{}={}{}", kind->name, p.name, value, others));
      };
      EXPECT_TRUE(with(p.max)) << kind->name << ' ' << p.name;
      EXPECT_EQ(with(p.min).has_value(), !p.above_min) << kind->name << ' ' << p.name;
      EXPECT_FALSE(with(2 * p.max + 1)) << kind->name << ' ' << p.name;
      EXPECT_FALSE(with(p.min - 1)) << kind->name << ' ' << p.name;
      if (!std::isnan(p.fallback)) {
        EXPECT_TRUE(with(p.fallback)) << kind->name << ' ' << p.name;
      }
    }
  }
}

// Numbers as a broken meter would report them: every third one is not a usable quantity.
class HostileNumbers {
 public:
  explicit HostileNumbers(std::uint64_t seed) : rng_(seed, "hostile") {}
  double operator()() {
    using Limits = std::numeric_limits<double>;
    constexpr double kInf = Limits::infinity();
    constexpr std::array kOdd{Limits::quiet_NaN(), kInf, -kInf, 0.0, -0.0, -1.0, 5e-324, 1.7e308};
    const double magnitude = std::pow(10.0, 12.0 * rng_.uniform() - 6.0);
    return rng_.below(3) == 0 ? kOdd.at(rng_.below(kOdd.size())) : magnitude;
  }

 private:
  Rng rng_;
};

TEST(PolicyKinds, DecideLegallyWhateverTheyAreFed) {
  for (const PolicyKind* kind : policy_kinds()) {
    auto policy = make_policy(simplest_text(*kind)).value();
    HostileNumbers number(17);
    for (std::uint64_t round = 0; round < 300; ++round) {
      ASSERT_EQ(testing::play_round(*policy, round, number), "") << kind->name << ' ' << round;
    }
  }
}

// A round that nobody answered says something about the link, nothing about the draft.
TEST(AdaptivePolicies, LearnNothingFromLostRounds) {
  for (const char* text : {"adaedl", "specdecpp-threshold", "goodput", "ucb"}) {
    const auto lucky = testing::make(text);
    const auto unlucky = testing::make(text);
    Rng rng(6, "rows");
    for (int round = 0; round < 200; ++round) {
      std::vector<float> rows(kMaxDraftLength);
      for (float& h : rows) {
        h = static_cast<float>(0.8 * rng.uniform());
      }
      const std::uint32_t lost = testing::draft_entropies(*unlucky, rows);
      unlucky->end_round({.answered = false, .drafted = lost, .elapsed = Seconds(5)});
      const std::uint32_t drafted = testing::draft_entropies(*lucky, rows);
      ASSERT_EQ(testing::draft_entropies(*unlucky, rows), drafted) << text << ' ' << round;
      const std::uint32_t accepted = testing::accepted_of(drafted, 0.7, rng);
      testing::end_round(*lucky, drafted, accepted);
      testing::end_round(*unlucky, drafted, accepted);
    }
  }
}

}  // namespace
}  // namespace gelato::control
