// What the edge counts, as Prometheus text. Names and meanings: docs/modules/edge.md.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <string>

#include "gelato/base/units.h"
#include "gelato/proto/error.h"

namespace gelato::edge {

// Counts of values up to each bound (ascending; the last bucket has none), and their sum.
template <std::size_t kBounds>
class Histogram {
 public:
  explicit constexpr Histogram(const std::array<double, kBounds>& bounds) : bounds_(bounds) {}

  void add(double value) {
    std::size_t i = 0;
    while (i < kBounds && value > bounds_[i]) {
      ++i;
    }
    counts_[i].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(value, std::memory_order_relaxed);
  }
  [[nodiscard]] std::span<const double> bounds() const { return bounds_; }
  // Of bucket i alone, i <= bounds().size().
  [[nodiscard]] std::uint64_t count(std::size_t i) const { return counts_[i].load(); }
  [[nodiscard]] double sum() const { return sum_.load(); }

 private:
  std::array<double, kBounds> bounds_;
  std::array<std::atomic<std::uint64_t>, kBounds + 1> counts_{};
  std::atomic<double> sum_{0.0};
};

// Every member may be used from any thread.
struct Metrics {
  using Counter = std::atomic<std::uint64_t>;
  using Gauge = std::atomic<std::int64_t>;
  // From below one millisecond (a small model) to minutes (a long queue).
  static constexpr std::array<double, 12> kSecondBounds = {
      0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0};
  static constexpr std::array<double, 8> kSessionBounds = {1, 2, 4, 8, 16, 32, 64, 128};
  static constexpr std::array<double, 9> kTokenBounds = {0, 1, 2, 3, 4, 6, 8, 16, 32};

  Gauge streams{0};
  Gauge sessions{0};  // with or without a stream
  Gauge waiting{0};   // sessions whose request waits
  Gauge cells_used{0};
  Gauge cells{0};
  Gauge draining{0};

  Counter opened{0};
  Counter resumed{0};
  Counter closed{0};  // by the device
  Counter leases_expired{0};
  std::array<Counter, static_cast<std::size_t>(proto::kLastErrorKind) + 1> errors{};  // by kind

  Counter drafts{0};  // decided
  Counter bursts{0};  // ended
  Counter stale{0};
  Counter drafted{0};  // tokens
  Counter accepted{0};
  Counter committed{0};
  Counter prompt_tokens{0};  // read in prefill
  Counter reused_tokens{0};  // found in the cache instead
  Counter evictions{0};
  Counter passes{0};
  Counter prefill_passes{0};
  std::atomic<double> pass_seconds{0.0};
  std::atomic<double> prefill_seconds{0.0};

  Histogram<kSecondBounds.size()> queue_seconds{kSecondBounds};
  Histogram<kSecondBounds.size()> verify_seconds{kSecondBounds};
  Histogram<kSessionBounds.size()> pass_sessions{kSessionBounds};
  Histogram<kTokenBounds.size()> accepted_per_draft{kTokenBounds};

  void count(proto::ErrorKind kind) { ++errors.at(static_cast<std::size_t>(kind)); }
};

// Text format 0.0.4.
std::string render(const Metrics& metrics);

}  // namespace gelato::edge
