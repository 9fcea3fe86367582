// One run: a policy replayed over a trace, on a virtual clock.
//
// The device does what device::RoundLoop does, call by call: begin_round, one row after the other
// with keep_drafting after each, end_round once. In greedy decoding every round therefore commits
// the tokens that a live run over the same text commits. Rounds follow each other without a gap;
// after the last prompt comes the first again.
//
// Pipelining is that of control::RoundPlan. Chunks leave in order through one uplink; the device
// reads an answer when the token it is drafting is finished, or at once while it waits. A rejection
// makes the chunks behind it stale: they still occupy the uplink, the edge drops them undecoded,
// and their joules are counted. At most DraftTrace::depth tokens are unverified at a time, because
// that far the trace knows what the draft model would have written.
//
// The edge decodes one batch at a time: whatever waits when a pass ends, at most one request of
// each device, goes into the next one.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "gelato/base/result.h"
#include "gelato/base/units.h"
#include "gelato/control/policy.h"
#include "gelato/energy/phases.h"
#include "gelato/sim/setting.h"

namespace gelato::sim {

// What one device did. Times and joules are sums over its rounds.
struct DeviceTotals {
  std::uint64_t rounds = 0;
  std::uint64_t tokens = 0;       // committed
  std::uint64_t unverified = 0;   // of them, not the target's text (RoundMode::kDraftOnly)
  std::uint64_t drafted = 0;      //
  std::uint64_t accepted = 0;     //
  std::uint64_t passes = 0;       // of the target, in which this device took part
  std::uint64_t stale = 0;        // chunks that the edge dropped undecoded
  std::uint64_t up_bytes = 0;     //
  std::uint64_t down_bytes = 0;   //
  Seconds elapsed;                //
  Seconds drafting;               //
  energy::PhaseJoules energy;     // full accounting
  double round_throughput = 0.0;  // sum over rounds of tokens / elapsed: GELATO's mean of ratios

  DeviceTotals& operator+=(const DeviceTotals& o);
};

struct RunResult {
  std::vector<DeviceTotals> devices;  // those that run the policy
  std::uint64_t edge_passes = 0;      // of all devices, from the start until the last one ended
  Seconds edge_busy;
  Seconds elapsed;

  [[nodiscard]] DeviceTotals total() const;
};

// What a round was, for figures that show a run round by round.
struct RoundRecord {
  std::uint32_t device = 0;
  control::RoundPlan plan;
  control::RoundOutcome outcome;
};

// Called after every round of the devices that run the policy.
class RoundObserver {
 public:
  virtual ~RoundObserver() = default;
  virtual void on_round(const RoundRecord& round) = 0;
};

class TextCursor;

// The text of the round that begins, from where it stands: only for the clairvoyant bound.
struct Foresight {
  const TextCursor* text = nullptr;  // valid in Policy::begin_round()
};

struct RunOptions {
  std::uint64_t seed = 0;
  RoundObserver* observer = nullptr;  // may be null
  std::span<Foresight> foresight{};   // per device, or empty
};

// Plays `policies` (one object per device, Setting::devices of them; they keep what they learned).
// Deterministic: a pure function of its arguments. Does not allocate per round.
// Errors: kInvalidArgument: a link that make_channels() refuses, no prompt in Setting::prompt_set,
// a trace that is empty, a number of policies that is not Setting::devices, an unknown
// Setting::others_policy.
Result<RunResult> simulate(const Setting& setting,
                           std::span<const std::unique_ptr<control::Policy>> policies,
                           const RunOptions& options);

}  // namespace gelato::sim
