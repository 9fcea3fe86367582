// Nothing that a policy decides changes a greedy text: every policy there is, live against a real
// edge over the loopback, with drafts in flight where it wants them.
#include <gtest/gtest.h>

#include <cstdio>

#include "gelato/control/policy_kind.h"
#include "gelato/device/remote_session.h"
#include "tests/device/model_server.h"
#include "tests/device/session_fixture.h"
#include "tests/device/target_alone.h"
#include "tests/support/prompts.h"

namespace gelato::device {
namespace {

constexpr std::size_t kTokens = 40;
// A round trip and a pass that take as long as a few drafted tokens, so that waiting for each
// verdict is the wrong thing to do: a phone with a large target, five times as fast.
constexpr const char* kLink = "rate=10mbit,delay=4ms";
constexpr edge::PassPace kPace{milliseconds(8), Seconds()};
constexpr Seconds kDraftToken = milliseconds(3.5);

// Chunks of two, eight tokens ahead: what a policy may ask for at most times.
class Pipelined final : public control::Policy {
 public:
  control::RoundPlan begin_round(const control::RoundContext& /*context*/) override {
    return {.max_draft = 16, .chunk = 2, .window = 8};
  }
  bool keep_drafting(const control::DraftState& /*state*/) override { return true; }
  void end_round(const control::RoundOutcome& /*outcome*/) override {}
  [[nodiscard]] std::string name() const override { return "pipelined"; }
};

// Bursts of twenty, and as many drafts beside them as there is room for.
class Trying final : public control::Policy {
 public:
  control::RoundPlan begin_round(const control::RoundContext& /*context*/) override {
    return {.max_draft = 3, .mode = control::RoundMode::kTargetOnly, .burst = 20, .trial_at = 1};
  }
  bool keep_drafting(const control::DraftState& /*state*/) override { return true; }
  std::uint32_t end_trial(std::uint32_t /*drafted*/, std::uint32_t /*accepted*/) override {
    return 1;
  }
  void end_round(const control::RoundOutcome& /*outcome*/) override {}
  [[nodiscard]] std::string name() const override { return "trying"; }
};

// Decides as `inner`, and remembers whether drafting went on with chunks in flight.
class Watched final : public control::Policy {
 public:
  explicit Watched(std::unique_ptr<control::Policy> inner) : inner_(std::move(inner)) {}
  control::RoundPlan begin_round(const control::RoundContext& context) override {
    return inner_->begin_round(context);
  }
  bool keep_drafting(const control::DraftState& state) override {
    in_flight += state.in_flight > 0 ? 1 : 0;
    return inner_->keep_drafting(state);
  }
  std::uint32_t end_trial(std::uint32_t drafted, std::uint32_t accepted) override {
    ++trials;
    return inner_->end_trial(drafted, accepted);
  }
  void end_round(const control::RoundOutcome& outcome) override { inner_->end_round(outcome); }
  [[nodiscard]] std::string name() const override { return inner_->name(); }

  std::uint64_t in_flight = 0;  // tokens drafted while others travelled
  std::uint64_t trials = 0;

 private:
  std::unique_ptr<control::Policy> inner_;
};

// Every policy with its usual parameters; gelato also where it may neither burst nor go alone, one
// that always has drafts in flight, and one that tries some beside every burst.
std::vector<std::unique_ptr<control::Policy>> every_policy() {
  std::vector<std::unique_ptr<control::Policy>> out;
  for (const control::PolicyKind* kind : control::policy_kinds()) {
    const std::string name(kind->name);
    auto policy = control::make_policy(name);
    out.push_back(policy ? *std::move(policy) : control::make_policy(name + ":4").value());
  }
  out.push_back(control::make_policy("gelato:modes=0").value());
  out.push_back(std::make_unique<Trying>());
  out.push_back(std::make_unique<Pipelined>());
  return out;
}

class EveryPolicyNet : public SessionTest {
 protected:
  std::unique_ptr<RemoteSession> connect(const std::string& endpoint) {
    RemoteSessionOptions options;
    options.edge.endpoint = endpoint;
    options.edge.insecure = true;
    options.draft_path = kDraft;
    options.link =
        link::LinkEmulator::create(link::parse_link_spec(kLink).value(), {}, 0, clock_.now())
            .value();
    auto session = RemoteSession::open(*backend_, clock_, log_, std::move(options));
    EXPECT_TRUE(session.has_value()) << session.error().message;
    return std::move(*session);
  }

  NullLog log_;
};

TEST_F(EveryPolicyNet, WritesWhatTheTargetWritesAlone) {
  const auto local = open(kTarget, "");
  const auto context = engine::Context::create(
      local->target(), {.tokens = local->context_tokens(), .max_rows = 1, .pool = {}});
  ModelServer server(*backend_, kTarget, kPace);
  server.start();
  const auto prompts = gelato::testing::prompts(2);
  std::vector<std::vector<spec::Token>> tokens;
  std::vector<Reference> wanted;
  for (const std::string& prompt : prompts) {
    tokens.push_back(local->tokenize(prompt, false).value());
    wanted.push_back(target_alone(**context, tokens.back(), kTokens));
  }
  Pacing pacing;
  pacing.profile.draft_token = kDraftToken;
  std::uint64_t in_flight = 0;
  std::uint64_t trials = 0;
  for (auto& inner : every_policy()) {
    Watched policy(std::move(inner));
    const std::string name = policy.name().substr(0, policy.name().find(':'));
    SCOPED_TRACE(policy.name());
    const auto session = connect(server.endpoint());
    std::size_t near_ties = 0;
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      CollectingSink got;
      const auto stats = session->generate(
          tokens[i], {.sampler = {}, .max_tokens = kTokens, .pace = &pacing}, policy, got);
      ASSERT_TRUE(stats.has_value()) << stats.error().message;
      if (name == "device-only") {
        EXPECT_EQ(stats->unverified, stats->tokens);  // and so it is said not to be the target's
        continue;
      }
      EXPECT_EQ(stats->unverified, 0U);
      near_ties += count_near_ties(wanted[i], got.tokens(), prompts[i]);
    }
    std::printf(
        "%-20s %zu differences at near-ties, %llu tokens drafted with others in flight, %llu "
        "trials\n",
        name.c_str(), near_ties, static_cast<unsigned long long>(policy.in_flight),
        static_cast<unsigned long long>(policy.trials));
    in_flight = policy.in_flight;
    trials += name == "trying" ? policy.trials : 0;
  }
  EXPECT_GT(trials, 4U);
  EXPECT_GT(in_flight, 0U) << "the last policy had no drafts in flight";
}

}  // namespace
}  // namespace gelato::device
