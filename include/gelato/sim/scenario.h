// A scenario: which policies are compared, in which settings. Read from TOML; the keys are listed
// in docs/modules/sim.md. Every field can be swept:
//
//   [[sweep]]
//   link.bandwidth = ["1mhz", "4mhz", "10mhz"]     the cells are all combinations of the values
//   edge.pass_s = [0.06, 0.1]                      of one [[sweep]], one [[sweep]] after the other
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "gelato/base/result.h"
#include "gelato/sim/setting.h"

namespace gelato::sim {

// Limits, checked before memory is taken.
inline constexpr std::size_t kMaxScenarioBytes = std::size_t{1} << 20U;
inline constexpr std::size_t kMaxCells = 10'000;
inline constexpr std::size_t kMaxCandidates = 256;  // of one policy
inline constexpr std::size_t kMaxPolicies = 64;
inline constexpr std::uint32_t kMaxSeeds = 1000;
inline constexpr std::uint32_t kMaxRecordedRounds = 10'000;
inline constexpr std::uint32_t kMaxDevices = 1024;

// The value of a field.
using Value = std::variant<bool, double, std::string, std::vector<double>>;
std::string to_string(const Value& value);

// By which number the best candidate of a policy is chosen.
enum class Tune : std::uint8_t { kNone, kTokensPerSecond, kJoulesPerToken };

// How a row takes part in the summary.
enum class Role : std::uint8_t {
  kBaseline,     // what others are compared with
  kContender,    // what is compared
  kOneInFlight,  // the same without pipelining
  kFrontier,     // the contender at another setting: counts for joules at equal speed
  kOther,        // shown only
};

// One line of a comparison: a policy, or the best of several in each cell.
struct Entry {
  std::string label;
  std::string text;  // as written: {field} stands for the cell's value, {a,b} for several
  Tune tune = Tune::kNone;
  Role role = Role::kOther;
};

struct Cell {
  std::vector<std::pair<std::string, Value>> swept;  // field and its value here
  Setting setting;
  std::vector<std::vector<std::string>> candidates;  // per entry, placeholders filled in
};

struct Scenario {
  std::string name;
  std::string description;
  std::string trace;                // as the scenario names it
  bool synthetic = false;           // a cell's trace was drawn, not recorded
  std::uint32_t seeds = 1;          // runs of each candidate
  std::uint32_t record_rounds = 0;  // how many rounds each row shows one by one
  std::uint64_t fingerprint = 0;    // of text, seed and traces: whose rows belong together
  std::vector<Entry> entries;
  std::vector<Cell> cells;
};

// Where the files are that a scenario may name.
struct ScenarioPlaces {
  std::filesystem::path profiles;  // of device profiles
  std::filesystem::path traces;    // of bundled traces
};

struct ScenarioOptions {
  std::uint64_t seed = 0;
  bool shortened = false;  // apply the scenario's [short] table
};

// Reads a scenario file, or FOLDER/scenario.toml, and the profiles and traces it names (relative
// to its folder, or by the bare name of a bundled one).
// Errors: kCorrupt, `FILE:LINE: what is wrong and what to do`; kLimitExceeded; those of reading the
// file: kNotFound, kPermissionDenied, kIo.
Result<Scenario> load_scenario(const std::filesystem::path& path, const ScenarioPlaces& places,
                               const ScenarioOptions& options);

// The same for a text; files are looked for in `folder`.
Result<Scenario> parse_scenario(std::string_view text, std::string_view file,
                                const std::filesystem::path& folder, const ScenarioPlaces& places,
                                const ScenarioOptions& options);

}  // namespace gelato::sim
