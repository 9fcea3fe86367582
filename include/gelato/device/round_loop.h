// The loop of a generation: draft, verify, commit, until the text ends. The same loop whether the
// verifier is a model in this process or an edge server.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "gelato/base/clock.h"
#include "gelato/base/result.h"
#include "gelato/control/policy.h"
#include "gelato/control/why.h"
#include "gelato/device/cost_tracker.h"
#include "gelato/device/energy_account.h"
#include "gelato/device/remote_target.h"
#include "gelato/spec/acceptance_stats.h"
#include "gelato/spec/decoding.h"

namespace gelato::device {

// Where a committed token came from.
enum class Origin : std::uint8_t {
  kAccepted,    // drafted, and accepted by the target
  kCorrection,  // the target's instead of a rejected draft token
  kBonus,       // the target's, after a draft that was accepted whole
  kTarget,      // the target's, in a round without a draft
  kDraft,       // the draft model's, verified by nobody: not the target's text
};

struct CommittedToken {
  spec::Token token = 0;
  Origin origin = Origin::kTarget;
};

// Why a generation ended.
enum class StopReason : std::uint8_t {
  kEndOfGeneration,  // the model ended its text
  kLimit,            // the wanted number of tokens is there
  kContext,          // the context window is full
  kSink,             // the receiver of the tokens had enough (stop string, interrupt, closed pipe)
};

// "eog", "limit", "context", "sink".
std::string_view to_string(StopReason reason);

// Why a draft ended: the counts of `stop_reasons` in the JSON output.
struct DraftStops {
  std::uint64_t limit = 0;    // the plan's or context's upper bound was reached
  std::uint64_t price = 0;    // keep_drafting() said no: as Policy::why() counts it,
  std::uint64_t budget = 0;   //
  std::uint64_t entropy = 0;  //
  std::uint64_t policy = 0;   // or without a reason, from a policy that gives none
  std::uint64_t verdict = 0;  // a rejection came while the next chunk was drafted
  std::uint64_t drafter = 0;  // a row below min_top1, or the draft's context is full
  std::uint64_t eog = 0;      // the draft ended the text
};

// Receives tokens as they are committed.
class TokenSink {
 public:
  virtual ~TokenSink() = default;
  // The tokens of one round, or of one answer of several in a round; at least one. False ends the
  // generation.
  virtual bool on_commit(std::span<const CommittedToken> tokens) = 0;
};

struct GenerationStats {
  std::uint64_t prompt_tokens = 0;
  std::uint64_t tokens = 0;      // committed
  std::uint64_t unverified = 0;  // of them, Origin::kDraft
  spec::AcceptanceStats acceptance;
  DraftStops draft_stops;
  StopReason stop = StopReason::kLimit;
  Seconds prefill;      // reading the prompt
  Seconds first_token;  // from the start to the first commit
  Seconds total;        // from the start to the end
  Seconds drafting;     // of it
  Seconds verifying;    // of it
  Seconds gap_p50;      // between consecutive tokens; those of one round come together
  Seconds gap_p95;
};

struct LoopOptions {
  std::uint64_t max_tokens = 0;      // 0: until the text ends or the context is full
  std::uint32_t context_tokens = 0;  // of the verifier: prompt and text together
  std::uint32_t max_draft = control::kMaxDraftLength;  // of the verifier
  std::vector<spec::Token> end_of_generation;          // ascending
  // Both models take the most likely token, so that what the target writes is a verdict on what was
  // drafted. Else nothing is drafted beside bursts: equal tokens are rarer than accepted ones.
  bool greedy = false;
  // While a RemoteTarget is out of reach, the draft model writes alone.
  bool draft_when_away = false;
  // Hears of every round, and prices the next one. Null: energies are zero. Must outlive the loop.
  EnergyAccount* energy = nullptr;
  // What drafting and verifying have cost in generations before this one; rounds are added to it.
  // Null: a generation begins knowing nothing. Must outlive the loop.
  CostTracker* costs = nullptr;
};

// One generation at a time; reusable for the next. Allocates at the start of a generation only.
class RoundLoop {
 public:
  // All references must outlive the loop.
  RoundLoop(spec::Verifier& verifier, const Clock& clock, LoopOptions options);
  // The same, and the loop knows of the link: bursts, its costs, and what to do when it is lost.
  RoundLoop(RemoteTarget& target, const Clock& clock, LoopOptions options);

  // Drafts with `drafter` as long as `policy` says. Without this call the target writes alone.
  void speculate(spec::Drafter& drafter, control::Policy& policy);

  // Writes after `prompt` until one of StopReason. An interrupt while waiting for the verifier
  // (kCancelled) is one: kSink, with what there is.
  // Errors: those of the drafter and the verifier. What was committed before stays with the sink.
  Result<GenerationStats> run(std::span<const spec::Token> prompt, TokenSink& sink);

 private:
  Result<void> start(std::span<const spec::Token> prompt);
  Result<void> round();
  Result<void> attempt(const control::RoundPlan& plan, control::RoundOutcome& outcome);
  Result<void> verify(control::RoundOutcome& outcome);
  // A round in chunks: pipelined_round.cc.
  Result<void> pipeline(const control::RoundPlan& plan, control::RoundOutcome& outcome);
  Result<void> draft_chunk(const control::RoundPlan& plan, std::uint32_t bound,
                           control::RoundOutcome& outcome);
  Result<bool> hear(bool wait, control::RoundOutcome& outcome);
  Result<void> take(const ChunkVerdict& verdict, control::RoundOutcome& outcome);
  Result<void> verify_rest(control::RoundOutcome& outcome);
  Result<void> send_chunk(bool last);
  void copy_to_chunk(std::uint32_t from);
  // The target writes: burst_round.cc.
  Result<void> burst(const control::RoundPlan& plan, control::RoundOutcome& outcome);
  Result<void> try_draft(std::uint32_t longest, control::RoundOutcome& outcome);
  Result<void> follow(spec::Token token, std::uint32_t written);
  Result<void> end_trial(std::uint32_t written);
  void judge(std::uint32_t compared, std::uint32_t written);
  Result<void> fill_draft(const control::RoundPlan& plan);
  Result<void> local_round();
  Joules spend(Seconds drafting);
  Result<void> commit_draft();
  [[nodiscard]] std::uint32_t drafted() const { return static_cast<std::uint32_t>(draft_.size()); }
  [[nodiscard]] std::uint64_t room() const;
  [[nodiscard]] control::RoundContext context() const;
  [[nodiscard]] bool may_go_alone() const;
  [[nodiscard]] bool ends_text(spec::Token token) const;
  void keep(const spec::Verdict& verdict);
  void record();
  void deliver();
  void explain_stops();
  void summarise_gaps();

  spec::Verifier* verifier_;
  RemoteTarget* remote_ = nullptr;  // the verifier, if it is one
  const Clock* clock_;
  LoopOptions options_;
  spec::Drafter* drafter_ = nullptr;
  control::Policy* policy_ = nullptr;

  // Of the generation that is running.
  GenerationStats stats_;
  control::StopReasons reasons_before_;  // of the policy, by earlier generations
  CostTracker own_costs_;                // without LoopOptions::costs
  CostTracker* costs_ = nullptr;         // set by start()
  TokenSink* sink_ = nullptr;
  spec::Draft draft_;
  spec::Draft chunk_;           // the part of it that is being sent
  std::uint32_t sent_ = 0;      // of draft_, in a round of chunks
  std::uint32_t verified_ = 0;  // and committed
  bool closed_ = false;         // the last chunk was sent
  struct Trial {
    std::uint32_t at = 0;      // tokens of the burst after which the next one begins; 0: none
    std::uint32_t agreed = 0;  // of draft_, which is one: as the target wrote it so far
  };
  Trial trial_;                            // of a burst
  std::vector<CommittedToken> committed_;  // not yet delivered
  std::vector<double> gaps_;               // seconds before each token
  Seconds started_;
  Seconds last_commit_;
  std::uint64_t length_ = 0;  // prompt and committed tokens
  bool done_ = false;
};

}  // namespace gelato::device
