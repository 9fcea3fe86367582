// The four things a device spends energy on in a round, and how a round's time divides among them.
#pragma once

#include "gelato/base/result.h"
#include "gelato/base/units.h"

namespace gelato::energy {

// Time per phase. The phases do not overlap: every instant belongs to one.
struct PhaseTimes {
  Seconds draft;  // running the draft model
  Seconds tx;     // sending
  Seconds rx;     // receiving
  Seconds wait;   // neither

  [[nodiscard]] constexpr Seconds total() const { return draft + tx + rx + wait; }
};

// Energy per phase: the JSON key energy_split_j.
struct PhaseJoules {
  Joules draft;
  Joules tx;
  Joules rx;
  Joules wait;

  [[nodiscard]] constexpr Joules total() const { return draft + tx + rx + wait; }
  // E = E^D + E^U, GELATO (arXiv 2605.10124) eq. (3): what the paper counts. Only for reproducing
  // its figures; receiving and waiting cost energy too.
  [[nodiscard]] constexpr Joules paper_accounting() const { return draft + tx; }

  constexpr PhaseJoules& operator+=(const PhaseJoules& o) {
    draft += o.draft;
    tx += o.tx;
    rx += o.rx;
    wait += o.wait;
    return *this;
  }
  friend constexpr bool operator==(const PhaseJoules&, const PhaseJoules&) = default;
};

// What a device can observe of a round. When bytes leave the antenna it cannot see: it knows how
// many it gave to the network and the link's rate.
struct RoundUsage {
  Seconds elapsed{};         // the whole round
  Seconds drafting{};        // of it, spent in the draft model
  Bits sent{};               // bytes on the wire, headers included
  Bits received{};           //
  BitsPerSecond uplink{};    // 0: unknown, or no radio: sending then counts as waiting
  BitsPerSecond downlink{};  // 0: likewise for receiving
};

// Divides a round: sending and receiving take bits / rate, waiting is the rest. The parts sum to
// `elapsed`: drafting is cut off there, and if the transfers do not fit beside it (they overlapped
// with drafting, or the rate is underestimated) they share what is left in proportion.
// Errors: kInvalidArgument if a field is negative or not finite.
Result<PhaseTimes> phase_times(const RoundUsage& usage);

}  // namespace gelato::energy
