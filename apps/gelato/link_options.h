// --link: a link to emulate between device and edge.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "gelato/base/clock.h"
#include "gelato/base/result.h"
#include "gelato/link/link_emulator.h"

namespace gelato::cli {

struct LinkFlags {
  std::string link;

  void add_to(CLI::App& app);
  // The link, starting now; nothing if none is asked for. Reads the trace that it may name.
  // Errors: those of parse_link_spec(), read_input(), parse_trace() and LinkEmulator::create().
  [[nodiscard]] Result<std::optional<link::LinkEmulator>> make(std::uint64_t seed,
                                                               const Clock& clock) const;
};

}  // namespace gelato::cli
