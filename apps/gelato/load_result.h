// What devices at an edge saw in a window of time.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "gelato/base/units.h"
#include "gelato/measured_transport.h"

namespace gelato::cli {

// What the window saw.
struct LoadResult {
  Seconds window;
  double edge_cpu_s = std::numeric_limits<double>::quiet_NaN();  // in the window
  std::vector<std::vector<AnsweredDraft>> answers;               // by device
  std::uint64_t losses = 0;                                      // of connections, whole run

  // Tokens that one device, or all, committed per second.
  [[nodiscard]] double tokens_per_s(std::size_t device) const;
  [[nodiscard]] double tokens_per_s() const;
  // Slowest device over the mean of all: by tokens, which hang on the texts too, and by rounds.
  [[nodiscard]] double fairness() const;
  [[nodiscard]] double round_fairness() const;
  [[nodiscard]] std::uint64_t rounds() const;
  [[nodiscard]] double passes() const;
  // Sessions in a pass, mean over passes.
  [[nodiscard]] double occupancy() const;
  // Fraction of the window that the edge spent in verification passes.
  [[nodiscard]] double busy() const;
  [[nodiscard]] double mean_draft() const;
  // Serialised messages per round, between the first and the last verdict of each device.
  [[nodiscard]] double up_bytes_per_round() const;
  [[nodiscard]] double down_bytes_per_round() const;
};

}  // namespace gelato::cli
