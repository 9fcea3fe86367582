// Why a policy decided as it did, for the metrics and for whoever wants to know. Plain numbers in
// fixed arrays, kept by policies that have prices (gelato); reading them changes nothing.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "gelato/base/units.h"
#include "gelato/control/acceptance_predictor.h"

namespace gelato::control {

// The ways to do a round.
enum class Way : std::uint8_t {
  kDraft,     // one message, then wait for its verdict
  kPipeline,  // chunks, drafting on while they travel
  kBurst,     // the target writes
  kAlone,     // the draft model writes, unverified
};
inline constexpr std::size_t kWays = 4;
// "draft", "pipeline", "burst", "alone".
std::string_view to_string(Way way);

// Why drafts ended.
struct StopReasons {
  std::uint64_t price = 0;    // another token was not worth its time
  std::uint64_t budget = 0;   // it was worth its time, but not its joules
  std::uint64_t entropy = 0;  // it would have been, had the newest row not been so uncertain
  std::uint64_t limit = 0;    // the longest draft was reached
  std::uint64_t verdict = 0;  // a rejection came while the pipeline was drafting
  std::uint64_t eog = 0;      // the drafter ended: end of the text, or of its context
};

// What a round was decided by.
struct PricePoint {
  std::uint64_t round = 0;
  Way way = Way::kDraft;
  double tokens_per_second = 0.0;  // theta
  double tokens_per_joule = 0.0;   // lambda
  Joules debt;                     // overspent and not yet made up for
  std::uint32_t length = 0;        // planned: tokens drafted, or asked of the target
  std::uint32_t chunk = 0;
  std::uint32_t window = 0;
};

struct Why {
  static constexpr std::size_t kTrace = 256;

  StopReasons stops;
  std::array<std::uint64_t, kWays> rounds{};  // by Way
  std::uint64_t trials = 0;                   // drafts tried beside bursts
  std::uint64_t switches = 0;                 // rounds done in another way than the one before
  bool infeasible = false;                    // no way of writing meets the budget
  Joules least_per_token;                     // what the thriftiest one is expected to need
  std::array<PricePoint, kTrace> trace{};     // of the last rounds; round r is at r % kTrace
  std::uint64_t traced = 0;                   // rounds written to `trace` so far
  ReliabilityTable reliability;               // of the acceptance predictor
};

}  // namespace gelato::control
