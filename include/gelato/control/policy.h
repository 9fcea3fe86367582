// The seam between deciding and doing: a Policy sees the world only through the plain structs below
// (no clocks, sockets or sensors), so the live device, the simulator and the tests run the same
// object.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>

#include "gelato/base/result.h"
#include "gelato/base/units.h"
#include "gelato/spec/draft.h"

namespace gelato::control {

// Longest draft any policy may ask for. 64 tokens at an acceptance rate of 0.95 survive with 4 %:
// nothing longer has ever paid, and the edge sizes its batches by it.
inline constexpr std::uint32_t kMaxDraftLength = 64;
// Longest burst any policy asks for.
inline constexpr std::uint32_t kMaxBurst = 1024;

// What the next round is expected to cost, from measurement or from a profile. Fields nobody could
// measure yet are zero.
struct CostEstimate {
  Seconds draft_token{};         // device: one drafted token
  Joules draft_token_energy{};   //
  Seconds round_trip{};          // network delay of a round besides serialisation; 0 in one process
  BitsPerSecond uplink{};        // 0: no network in between
  Bits uplink_bits_per_token{};  // payload of one drafted token
  Bits uplink_bits_per_round{};  // framing of a round
  Seconds queue{};               // target: a request's wait for its pass; a burst waits once
  Seconds verify_base{};         // target: T(1), a pass without any draft token
  Seconds others{};              // target: what other devices' tokens add to the pass
  Seconds verify_token{};        // target: additional time of each draft token in the pass
  // Devices that use the target these seconds, this one included; less than 1: unknown, alone.
  double devices = 1.0;
  Watts tx_power{};    // device, while sending
  Watts wait_power{};  // device, while waiting and receiving
};

// Before a round.
struct RoundContext {
  std::uint64_t round = 0;           // 0-based
  std::uint32_t context_tokens = 0;  // L: committed tokens, prompt included
  std::uint32_t max_draft = 0;       // longest useful draft: context window, tokens still wanted
  // Chunks of a draft that may be without an answer at once; 1: the loop does not pipeline.
  std::uint32_t max_in_flight = 1;
  bool may_draft_alone = false;  // the user allows RoundMode::kDraftOnly
  CostEstimate cost{};
};

// Who writes in a round.
enum class RoundMode : std::uint8_t {
  kSpeculate,   // the device drafts, the target verifies; max_draft 0 is a round of one token
  kTargetOnly,  // the target writes up to `burst` tokens; what is drafted beside them, is not sent
  kDraftOnly,   // the draft model writes and nothing is verified: drafted tokens are committed, at
                // most max_draft in a round. Not the target's text; only on the user's word
};

// What the uplink carries for a draft, where it matters to a policy.
enum class UplinkFormat : std::uint8_t {
  kSession,  // whatever the session agreed on
  kDssd,     // ids and the scalars q_i(x_i); the target's row comes down on a rejection
};

// A policy's plan for a round.
struct RoundPlan {
  // Upper bound on the draft length; the loop also respects RoundContext::max_draft. 0: the target
  // writes one token.
  std::uint32_t max_draft = 0;
  // A row whose top-1 probability is below this ends the draft before its token is taken
  // (llama.cpp's --draft-p-min). 0: never.
  float min_top1 = 0.0F;
  RoundMode mode = RoundMode::kSpeculate;
  UplinkFormat uplink = UplinkFormat::kSession;
  // Mode kTargetOnly: how many tokens are asked of the target in one answer, so that a round trip
  // is paid once for all of them; 1..kMaxBurst. A loop that can only ask for one commits one.
  std::uint32_t burst = 1;
  // Mode kTargetOnly with max_draft > 0: once `trial_at` tokens of the burst have come (1..burst -
  // 1) the device drafts on after them while the target writes, asking keep_drafting() as for any
  // draft. Nothing of this trial is sent: the target's own tokens are its verdict, end_trial(). It
  // takes energy, but no time. A loop that cannot draft meanwhile does not. 0: no trial.
  std::uint32_t trial_at = 0;
  // Pipelining. With chunk > 0 the loop sends the draft in chunks of this many tokens and goes on
  // drafting while they travel, on the assumption that all of them are accepted, until
  // keep_drafting() says no, max_draft is reached or a verdict brings a rejection: the round ends
  // with the correction or, if nothing was rejected, with the bonus of the last chunk. What was
  // drafted past a rejection is lost. 0: one message, then wait for its verdict.
  std::uint32_t chunk = 0;
  // Tokens that may be drafted and not verified; at that many the loop waits for a verdict.
  std::uint32_t window = 0;
};

// After each drafted token.
struct DraftState {
  std::uint32_t drafted = 0;    // tokens in the draft now, >= 1
  spec::RowStats last{};        // the row the newest token came from
  std::uint32_t max_draft = 0;  // the bound in force: min(plan, context)
  std::uint32_t verified = 0;   // of the draft: accepted already, while the round goes on
  std::uint32_t in_flight = 0;  // of the draft: sent, no verdict yet
};

// After a round. `answered` is false if no verdict came (timeout, lost link): then accepted and
// committed are 0 and only the costs are real.
struct RoundOutcome {
  bool answered = true;
  std::uint32_t drafted = 0;  // what pipelining drafted in vain included, trials not
  std::uint32_t accepted = 0;
  std::uint32_t passes = 1;  // of the target
  // kSpeculate: accepted + 1; kTargetOnly: what the target wrote; kDraftOnly: drafted. Fewer at the
  // end of the text.
  std::uint32_t committed = 0;
  Seconds elapsed{};   // the whole round
  Seconds drafting{};  // of it, spent drafting, trials included
  Joules energy{};     // device, the whole round; 0 if there is no meter
};

struct Why;  // why.h

// Decides draft lengths. One object for the texts of one device and pair of models, one after the
// other: what it learns in one it knows in the next. Called from one thread, in the order
// begin_round, keep_drafting*, end_round, in a burst begin_round, (keep_drafting*, end_trial)*,
// end_round. Implementations must return legal decisions whatever
// finite or non-finite numbers they are fed, and must not allocate per token.
class Policy {
 public:
  virtual ~Policy() = default;
  // Called once before each round.
  virtual RoundPlan begin_round(const RoundContext& context) = 0;
  // Asked after each drafted token while the bound allows another: draft one more?
  [[nodiscard]] virtual bool keep_drafting(const DraftState& state) = 0;
  // The verdict on a trial: the target's own next tokens agree with the first `accepted` of the
  // `drafted` tokens that they were compared with, at least one. After how many more tokens of the
  // burst the next trial begins; 0: not in this burst.
  virtual std::uint32_t end_trial(std::uint32_t drafted, std::uint32_t accepted) {
    (void)drafted;
    (void)accepted;
    return 0;
  }
  // Exactly once per begin_round, also after a timeout.
  virtual void end_round(const RoundOutcome& outcome) = 0;
  // The policy string that recreates this policy, parameters included.
  [[nodiscard]] virtual std::string name() const = 0;
  // Why it decided as it did so far; null from a policy that keeps no such account. Owned by the
  // policy, good until its next call.
  [[nodiscard]] virtual const Why* why() const { return nullptr; }
};

// Creates a policy from its string, NAME or NAME:PARAMETER. Names, parameters and their ranges are
// listed in docs/modules/control.md; policy_help() has the same list for --help.
// Errors: kInvalidArgument, one sentence with the offending part and what is accepted.
Result<std::unique_ptr<Policy>> make_policy(std::string_view text);

// For each policy how it is written, what it does, and its parameters, a line each.
std::string policy_help();

}  // namespace gelato::control
