// --link: a link to emulate between device and edge.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "gelato/base/clock.h"
#include "gelato/base/result.h"
#include "gelato/cli11_fwd.h"
#include "gelato/link/link_emulator.h"

namespace gelato::cli {

// A link as a simulation takes it.
struct LinkModel {
  link::LinkSpec spec;
  link::Trace trace;  // of a TraceReplay, else empty
};

struct LinkFlags {
  std::string link;

  void add_to(CLI::App& app);
  // What `link` says. Reads the trace that it may name.
  // Errors: those of parse_link_spec(), read_input() and parse_trace().
  [[nodiscard]] Result<LinkModel> read() const;
  // The link, starting now; nothing if none is asked for.
  // Errors: those of read() and LinkEmulator::create().
  [[nodiscard]] Result<std::optional<link::LinkEmulator>> make(std::uint64_t seed,
                                                               const Clock& clock) const;
};

// The link as it was asked for; null without one.
nlohmann::json link_json(const LinkFlags& flags);

}  // namespace gelato::cli
