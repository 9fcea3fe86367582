// A scenario file as a flat map from dotted field to value, with the line each came from.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "gelato/base/result.h"
#include "gelato/sim/scenario.h"

namespace gelato::sim {

struct Field {
  Value value;
  std::uint32_t line = 1;
};
using Fields = std::map<std::string, Field, std::less<>>;

// One [[sweep]]: fields and the values they take.
struct SweptField {
  std::string name;
  std::vector<Value> values;
  std::uint32_t line = 1;
};
using Sweep = std::vector<SweptField>;

// One policy line: a text, or a table with policy, label, tune and role.
struct EntryText {
  std::string policy;
  std::string label;
  std::string tune;
  std::string role;
  std::uint32_t line = 1;
};

struct ScenarioText {
  Fields fields;
  std::vector<EntryText> entries;
  std::vector<Sweep> sweeps;
};

// Parses `text`; with `shortened`, what its table [short] has replaces what is there (a `sweep` in
// it replaces all sweeps).
// Errors: kCorrupt, `FILE:LINE: ...`; kLimitExceeded.
Result<ScenarioText> read_scenario_text(std::string_view text, std::string_view file,
                                        bool shortened);

// `FILE:LINE: WHAT` with code kCorrupt.
tl::unexpected<Error> scenario_error(std::string_view file, std::uint32_t line,
                                     std::string_view what);

// `text` in single quotes on one line, at most 60 characters, whatever it holds.
std::string shown(std::string_view text);

}  // namespace gelato::sim
