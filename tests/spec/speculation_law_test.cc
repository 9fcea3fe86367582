// Whole texts written in draft and verify rounds, against the exact distribution of the target: for
// every rule that decides the draft length without looking at the token it withholds, and for rules
// that break this condition (verify.h) or another one, which the test has to find.
//
// False alarms: rejection below a p-value of 1e-6, one statistic per test and model pair, about 40
// in all. Seeds are fixed.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "tests/support/chi_square.h"
#include "tests/support/toy_model.h"

namespace gelato::spec {
namespace {

using toy::ToyDrafter;
using toy::ToyModel;
using toy::ToyVerifier;

constexpr double kFalseAlarm = 1e-6;
constexpr int kTexts = 30000;
constexpr std::size_t kLength = 4;
constexpr std::array<Token, 2> kPrompt{1, 0};

// Fills the draft of one round, given the verdict of the round before (accepted: 0 at first).
using DraftRule = std::function<void(Drafter&, Draft&, std::uint32_t last_accepted)>;

void draft_up_to(Drafter& drafter, Draft& draft, std::size_t length, float min_top1 = 0.0F) {
  while (draft.size() < length && drafter.draft_one(draft, min_top1).value().has_value()) {
  }
}

DraftRule fixed_length(std::size_t length) {
  return
      [=](Drafter& drafter, Draft& draft, std::uint32_t) { draft_up_to(drafter, draft, length); };
}

void row_confidence(Drafter& drafter, Draft& draft, std::uint32_t /*last_accepted*/) {
  draft_up_to(drafter, draft, 5, 0.6F);
}

// As an entropy threshold does it: the uncertain token is kept, and is the last.
void stop_after_an_uncertain_row(Drafter& drafter, Draft& draft, std::uint32_t /*last_accepted*/) {
  while (draft.size() < 5 && drafter.draft_one(draft, 0.0F).value()->entropy < 0.8F) {
  }
}

void one_more_than_accepted_last(Drafter& drafter, Draft& draft, std::uint32_t last_accepted) {
  draft_up_to(drafter, draft, last_accepted + 1);
}

// Looks at the tokens, but only at those that are sent.
void stop_after_token_zero(Drafter& drafter, Draft& draft, std::uint32_t /*last_accepted*/) {
  do {
    draft_up_to(drafter, draft, draft.size() + 1);
  } while (draft.size() < 5 && draft.tokens().back() != 0);
}

// Wrong: whether a token is sent depends on the token.
void withhold_improbable_tokens(Drafter& drafter, Draft& draft, std::uint32_t /*last_accepted*/) {
  while (draft.size() < 5) {
    draft_up_to(drafter, draft, draft.size() + 1);
    if (draft.rows().back().prob(draft.tokens().back()) < 0.4) {
      draft.truncate(draft.size() - 1);
      return;
    }
  }
}

void withhold_token_zero(Drafter& drafter, Draft& draft, std::uint32_t /*last_accepted*/) {
  draft_up_to(drafter, draft, 4);
  for (std::size_t i = 0; i < draft.size(); ++i) {
    if (draft.tokens()[i] == 0) {
      draft.truncate(i);
    }
  }
}

struct Pair {
  ToyModel target;
  ToyModel draft;
};

std::vector<Pair> pairs() {
  const auto model = [](Token n_vocab, std::size_t order, double zeros, std::uint64_t seed) {
    return ToyModel::random(
        {.n_vocab = n_vocab, .order = order, .sharpness = 2.5, .zero_share = zeros}, seed);
  };
  const ToyModel target = model(3, 1, 0.0, 1);
  return {{target, model(3, 1, 0.0, 2)},
          {target, ToyModel::mix(target, model(3, 1, 0.0, 2), 0.2)},
          {model(4, 2, 0.3, 3), model(4, 2, 0.3, 4)}};
}

// P-value of kTexts texts written by `drafter` and `verifier` together.
double text_p_value(const ToyModel& target, Drafter& drafter, Verifier& verifier,
                    const DraftRule& rule, const std::function<void(Draft&)>& transmit) {
  const std::vector<double> expected = target.text_distribution(kPrompt, kLength);
  std::vector<std::uint64_t> counts(expected.size(), 0);
  Draft draft;
  std::vector<Token> text;
  for (int i = 0; i < kTexts; ++i) {
    EXPECT_TRUE(drafter.start(kPrompt) && verifier.start(kPrompt));
    text.clear();
    std::uint32_t accepted = 0;
    while (text.size() < kLength) {
      draft.clear();
      rule(drafter, draft, accepted);
      transmit(draft);
      const Verdict verdict = verifier.verify(draft).value();
      EXPECT_TRUE(drafter.commit(verdict.accepted, verdict.next));
      accepted = verdict.accepted;
      text.insert(text.end(), draft.tokens().begin(), draft.tokens().begin() + accepted);
      text.push_back(verdict.next);
    }
    ++counts[toy::text_index(std::span(text).first(kLength), target.n_vocab())];
  }
  return toy::chi_square_p_value(counts, expected);
}

void as_is(Draft& /*draft*/) {}

// The smallest p-value over all model pairs.
double smallest_p_value(const DraftRule& rule) {
  double smallest = 1.0;
  for (const Pair& pair : pairs()) {
    ToyDrafter drafter(pair.draft, Mode::kSampling, 5);
    ToyVerifier verifier(pair.target, Mode::kSampling, 5);
    smallest = std::min(smallest, text_p_value(pair.target, drafter, verifier, rule, as_is));
  }
  return smallest;
}

struct NamedRule {
  const char* name;
  DraftRule rule;
  friend std::ostream& operator<<(std::ostream& out, const NamedRule& r) { return out << r.name; }
};

std::string rule_name(const testing::TestParamInfo<NamedRule>& test) { return test.param.name; }

std::vector<NamedRule> exact_rules() {
  return {{"nothing", fixed_length(0)},
          {"one", fixed_length(1)},
          {"three", fixed_length(3)},
          {"eight", fixed_length(8)},
          {"row_confidence", row_confidence},
          {"stop_after_an_uncertain_row", stop_after_an_uncertain_row},
          {"one_more_than_accepted_last", one_more_than_accepted_last},
          {"stop_after_token_zero", stop_after_token_zero}};
}

class SpeculationLaw : public testing::TestWithParam<NamedRule> {};

TEST_P(SpeculationLaw, TextsFollowTheTarget) {
  EXPECT_GT(smallest_p_value(GetParam().rule), kFalseAlarm);
}

TEST_P(SpeculationLaw, GreedyTextsAreTheTargets) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const ToyModel target = ToyModel::random({.n_vocab = 4, .order = 2}, seed);
    const ToyModel draft = ToyModel::mix(target, ToyModel::random({4, 2}, seed + 100), 0.5);
    ToyDrafter drafter(draft, Mode::kGreedy, seed);
    ToyVerifier verifier(target, Mode::kGreedy, seed);
    ASSERT_TRUE(drafter.start(kPrompt) && verifier.start(kPrompt));
    Draft tokens;
    std::uint32_t accepted = 0;
    while (verifier.text().size() < 30) {
      tokens.clear();
      GetParam().rule(drafter, tokens, accepted);
      const Verdict verdict = verifier.verify(tokens).value();
      ASSERT_TRUE(drafter.commit(verdict.accepted, verdict.next));
      accepted = verdict.accepted;
    }
    const auto written = verifier.text().subspan(kPrompt.size());
    EXPECT_EQ(std::vector<Token>(written.begin(), written.end()),
              target.greedy_text(kPrompt, written.size()));
  }
}

INSTANTIATE_TEST_SUITE_P(Rules, SpeculationLaw, testing::ValuesIn(exact_rules()), rule_name);

class SpeculationLawRejects : public testing::TestWithParam<NamedRule> {};

TEST_P(SpeculationLawRejects, ARuleThatWithholdsByToken) {
  EXPECT_LT(smallest_p_value(GetParam().rule), kFalseAlarm);
}

INSTANTIATE_TEST_SUITE_P(Rules, SpeculationLawRejects,
                         testing::ValuesIn(std::vector<NamedRule>{
                             {"withhold_improbable_tokens", withhold_improbable_tokens},
                             {"withhold_token_zero", withhold_token_zero}}),
                         rule_name);

class QuantisedRows : public testing::Test {
 protected:
  // Two entries of a coarse grid: next to nothing of the draft's row is left.
  const DistCodec codec_ =
      DistCodec::create({.max_entries = 2, .weight_bits = 2, .n_vocab = 4}).value();
  const Pair pair_ = pairs().back();
  ToyVerifier verifier_{pair_.target, Mode::kSampling, 6};
};

TEST_F(QuantisedRows, CostAcceptanceButNotExactness) {
  ToyDrafter drafter(pair_.draft, Mode::kSampling, 6, &codec_);
  std::vector<std::uint8_t> wire;
  const auto over_the_wire = [&](Draft& draft) {
    wire.clear();
    for (const SparseDist& row : draft.rows()) {
      codec_.encode(row, wire);
    }
    Draft received;
    std::span<const std::uint8_t> in(wire);
    for (const Token token : draft.tokens()) {
      ASSERT_TRUE(codec_.decode(in, received.push(token)));
    }
    draft = received;
  };
  EXPECT_GT(text_p_value(pair_.target, drafter, verifier_, fixed_length(3), over_the_wire),
            kFalseAlarm);
}

// Wrong: the row that is sent is not the row the token was drawn from.
TEST_F(QuantisedRows, QuantisedAfterTheDrawAreFoundOut) {
  const DistCodec finer =
      DistCodec::create({.max_entries = 4, .weight_bits = 3, .n_vocab = 4}).value();
  ToyDrafter drafter(pair_.draft, Mode::kSampling, 6);
  const auto quantise_late = [&](Draft& draft) {
    Draft sent;
    for (std::size_t i = 0; i < draft.size(); ++i) {
      SparseDist& row = sent.push(draft.tokens()[i]);
      row = draft.rows()[i];
      finer.quantise(row);
    }
    draft = sent;
  };
  EXPECT_LT(text_p_value(pair_.target, drafter, verifier_, fixed_length(3), quantise_late),
            kFalseAlarm);
}

}  // namespace
}  // namespace gelato::spec
