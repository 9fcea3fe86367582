// A policy on live models and the same policy in simulation, on the trace of the same prompts: the
// rounds are the same, token by token.
#include <gtest/gtest.h>

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "gelato/base/clock.h"
#include "gelato/control/policy_kind.h"
#include "gelato/device/round_loop.h"
#include "gelato/engine/model_drafter.h"
#include "gelato/engine/model_verifier.h"
#include "gelato/sim/simulation.h"
#include "tests/apps/trace_fixture.h"
#include "tests/device/collecting_sink.h"

namespace gelato::cli {
namespace {

// What a round did.
struct Round {
  std::uint32_t max_draft = 0;  // that the loop offered
  std::uint32_t drafted = 0;
  std::uint32_t accepted = 0;
  std::uint32_t committed = 0;

  friend bool operator==(const Round&, const Round&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Round& r) {
    return out << r.drafted << " of " << r.max_draft << " drafted, " << r.accepted << " accepted, "
               << r.committed << " committed";
  }
};

// Feeds a policy the costs of a declared device and link instead of measured ones, so that both
// runs decide by the same numbers; and writes the rounds down.
class DeclaredCosts final : public control::Policy {
 public:
  DeclaredCosts(const std::string& policy, std::vector<Round>& rounds)
      : inner_(control::make_policy(policy).value()), rounds_(&rounds) {}

  control::RoundPlan begin_round(const control::RoundContext& context) override {
    control::RoundContext declared = context;
    declared.cost = {.draft_token = milliseconds(15),
                     .draft_token_energy = Joules(0.18),
                     .round_trip = milliseconds(20),
                     .uplink = BitsPerSecond(1e6),
                     .uplink_bits_per_token = Bits(18),
                     .uplink_bits_per_round = Bits(320),
                     .verify_base = milliseconds(100),
                     .verify_token = milliseconds(2),
                     .tx_power = Watts(1.2),
                     .wait_power = Watts(0.6)};
    max_draft_ = context.max_draft;
    control::RoundPlan plan = inner_->begin_round(declared);
    plan.burst = 1;  // a loop in one process cannot ask for more
    return plan;
  }
  bool keep_drafting(const control::DraftState& state) override {
    return inner_->keep_drafting(state);
  }
  void end_round(const control::RoundOutcome& outcome) override {
    control::RoundOutcome declared = outcome;
    declared.drafting = outcome.drafted * milliseconds(15);
    declared.elapsed = declared.drafting + milliseconds(120 + 2.0 * outcome.drafted);
    declared.energy = outcome.drafted * Joules(0.18) + Joules(0.07);
    rounds_->push_back({.max_draft = max_draft_,
                        .drafted = outcome.drafted,
                        .accepted = outcome.accepted,
                        .committed = outcome.committed});
    inner_->end_round(declared);
  }
  [[nodiscard]] std::string name() const override { return inner_->name(); }

 private:
  std::unique_ptr<control::Policy> inner_;
  std::vector<Round>* rounds_;
  std::uint32_t max_draft_ = 0;
};

// Every policy whose text is the target's: a trace does not know where a text of the draft alone
// would go.
std::vector<std::string> policies() {
  std::vector<std::string> out;
  for (const control::PolicyKind* kind : control::policy_kinds()) {
    if (kind->name != "device-only") {
      const bool required = !kind->parameters.empty() && !(kind->parameters[0].fallback >= 0.0);
      out.push_back(std::string(kind->name) + (required ? ":5" : ""));
    }
  }
  return out;
}

class TraceReplayTest : public TraceTest, public ::testing::WithParamInterface<std::string> {
 protected:
  // The rounds of a generation on the models, which must write the trace's text.
  std::vector<Round> live(const std::vector<spec::Token>& prompt, const sim::DraftTrace& trace) {
    const auto target_context = engine::Context::create(
        *target_, {.tokens = 512, .max_rows = control::kMaxDraftLength + 1, .pool = {}});
    const auto draft_context = context(*draft_);
    engine::ModelVerifier verifier(**target_context, {}, 0);
    engine::ModelDrafter drafter(*draft_context, {}, options().common, 0);
    device::RoundLoop loop(verifier, clock_,
                           {.max_tokens = trace.prompts[0].ended ? 0U : trace.positions(),
                            .context_tokens = 512,
                            .max_draft = trace.depth,
                            .end_of_generation = target_->vocabulary().end_of_generation});
    std::vector<Round> rounds;
    DeclaredCosts policy(GetParam(), rounds);
    loop.speculate(drafter, policy);
    device::CollectingSink sink;
    EXPECT_TRUE(loop.run(prompt, sink).has_value());
    EXPECT_EQ(sink.tokens(), trace.target_tokens);
    return rounds;
  }

  // The rounds of a simulation until the trace's text is written.
  std::vector<Round> simulated(const sim::DraftTrace& trace) {
    sim::Setting setting;
    setting.trace = std::make_shared<const sim::DraftTrace>(trace);
    setting.profile = energy::load_profile("assets/profiles/paper.toml").value();
    setting.tokens = trace.positions();
    std::vector<Round> rounds;
    std::vector<std::unique_ptr<control::Policy>> policies;
    policies.push_back(std::make_unique<DeclaredCosts>(GetParam(), rounds));
    EXPECT_TRUE(sim::simulate(setting, policies, {}).has_value());
    return rounds;
  }

  SteadyClock clock_;
};

TEST_P(TraceReplayTest, CommitsTheSameTokensInEveryRound) {
  for (const TracePromptTokens& prompt : prompts()) {
    TraceRecorder one = recorder({prompt}, options());
    sim::DraftTrace trace = empty(options());
    ASSERT_TRUE(one.add_next(trace, [] { return true; }));
    const std::vector<Round> rounds = live(prompt.tokens, trace);
    EXPECT_EQ(rounds, simulated(trace)) << prompt.id;
    EXPECT_FALSE(rounds.empty());
  }
}

INSTANTIATE_TEST_SUITE_P(Policies, TraceReplayTest, ::testing::ValuesIn(policies()),
                         [](const auto& test) {
                           std::string name = test.param;
                           for (char& c : name) {
                             c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
                           }
                           return name;
                         });

}  // namespace
}  // namespace gelato::cli
