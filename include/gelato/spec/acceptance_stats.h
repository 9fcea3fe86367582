// Counts of what became of drafted tokens, by depth.
#pragma once

#include <array>
#include <cstdint>

#include "gelato/spec/draft.h"

namespace gelato::spec {

// Plain counters; adding is O(gamma) and does not allocate.
class AcceptanceStats {
 public:
  // Depths from kMaxDepth - 1 on share the last counter.
  static constexpr std::size_t kMaxDepth = 64;

  // One finished round: `drafted` tokens were verified, `verdict` came back.
  // Precondition: verdict.accepted <= drafted.
  void add(std::uint32_t drafted, const Verdict& verdict);

  [[nodiscard]] std::uint64_t rounds() const { return rounds_; }
  [[nodiscard]] std::uint64_t drafted() const { return drafted_; }
  [[nodiscard]] std::uint64_t accepted() const { return accepted_; }
  // accepted / drafted; 0 if nothing was drafted.
  [[nodiscard]] double acceptance_rate() const;
  // Accepted draft tokens per round; 0 without rounds.
  [[nodiscard]] double mean_accepted() const;
  // accepted + rounds: what the rounds committed, before any cut at a stop string or limit.
  [[nodiscard]] std::uint64_t committed() const { return accepted_ + rounds_; }

  // Per depth i (0 = first drafted token): in how many rounds was it drafted, and accepted.
  [[nodiscard]] std::uint64_t drafted_at(std::size_t depth) const { return drafted_at_.at(depth); }
  [[nodiscard]] std::uint64_t accepted_at(std::size_t depth) const {
    return accepted_at_.at(depth);
  }
  // P(token at `depth` stands | it was drafted); 0 if never drafted.
  [[nodiscard]] double survival(std::size_t depth) const;

 private:
  std::uint64_t rounds_ = 0;
  std::uint64_t drafted_ = 0;
  std::uint64_t accepted_ = 0;
  std::array<std::uint64_t, kMaxDepth> drafted_at_{};
  std::array<std::uint64_t, kMaxDepth> accepted_at_{};
};

}  // namespace gelato::spec
