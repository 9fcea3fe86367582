// Everything a simulated run needs besides its policy: text, device, link, edge, and how joules and
// seconds are counted. Plain values; a Setting is shared by the runs of one cell of a sweep.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gelato/base/result.h"
#include "gelato/base/units.h"
#include "gelato/control/policy.h"
#include "gelato/energy/device_profile.h"
#include "gelato/link/link_spec.h"
#include "gelato/link/trace.h"
#include "gelato/sim/draft_trace.h"

namespace gelato::sim {

// What counts.
enum class Accounting : std::uint8_t {
  kFull,   // the device from the first drafted token to the verdict: draft, send, receive, wait
  kPaper,  // GELATO, arXiv 2605.10124, equations 3 and 4: E = E^D + E^U, T = T^D + T^U + T^LLM; the
           // answer comes down at once and for nothing; a row that DSSD sends takes its time
};

// How long one pass of the target takes, by the number of tokens in it (of all devices in the
// batch; a draft of n tokens has n + 1, or n while it is not the last chunk of its round).
struct EdgeCurve {
  // T(1), T(2), ... ; never empty. Beyond its end it goes on as steeply as between its last two
  // points (level if there is one).
  std::vector<Seconds> pass{Seconds(0.1)};

  [[nodiscard]] Seconds time(std::uint64_t tokens) const;
  // Mean slope over the first `tokens` tokens.
  [[nodiscard]] Seconds slope(std::uint32_t tokens) const;
};

// What a draft and its answer weigh.
struct WireFormat {
  enum class Draft : std::uint8_t {
    kIds,   // token ids at their fixed width: greedy decoding over our protocol
    kTopP,  // GELATO's equation 2: sum over drafted tokens of |S_i| (prob + index)
  };
  Draft draft = Draft::kIds;
  Bits index{18};                // per token id
  Bits prob{16};                 // per probability
  std::uint64_t up_bytes = 0;    // of every message of the device, besides the draft
  std::uint64_t down_bytes = 0;  // of every answer
  // What a transport sends back by itself for every message it receives (HTTP/2 window updates and
  // pings): nobody waits for it, but it has its turn on the link.
  std::uint64_t up_ack_bytes = 0;    // the device's, for an answer
  std::uint64_t down_ack_bytes = 0;  // the edge's, for a draft or request
  std::uint64_t row_bytes = 0;       // the target's row that DSSD sends down on a rejection

  // One drafted token on the uplink.
  [[nodiscard]] Bits token_bits(const TraceToken& token, control::UplinkFormat format) const;
};

// What the device may spend; at most one of these. Policies get their budgets through their own
// parameters: here it is what a run is measured against.
struct Budget {
  std::optional<Joules> per_round;
  std::optional<Joules> per_token;
  std::optional<Watts> power;

  [[nodiscard]] bool given() const { return per_round || per_token || power; }
  // What `rounds`, `tokens` and `elapsed` allow. Precondition: given().
  [[nodiscard]] Joules allowance(std::uint64_t rounds, std::uint64_t tokens, Seconds elapsed) const;
};

struct Setting {
  std::shared_ptr<const DraftTrace> trace;  // not null, with at least one position
  std::string prompt_set;                   // only prompts of this set; empty: all
  energy::DeviceProfile profile;
  link::LinkSpec link;
  link::Trace link_trace;  // of a TraceReplay, else empty
  EdgeCurve edge;
  WireFormat wire;
  Accounting accounting = Accounting::kFull;
  Budget budget;

  std::uint32_t devices = 1;  // that run the policy
  std::string others_policy;  // of further devices that only load edge and cell
  std::uint32_t others = 0;
  bool shared_cell = false;  // one uplink and one downlink for all devices; else each has its own

  std::uint64_t rounds = 1000;  // per device; or, if `tokens` is not 0,
  std::uint64_t tokens = 0;     // until a device has committed so many
  std::uint32_t max_in_flight = 1;
  bool may_draft_alone = false;

  // A sudden change: after so many rounds a device goes on in `changed`, and the edge with the
  // first one to do so. Trace, profile, link, edge and wire change; the rest stays as it is here.
  std::uint64_t change_round = 0;          // 0: never
  std::shared_ptr<const Setting> changed;  // null: never
};

}  // namespace gelato::sim
