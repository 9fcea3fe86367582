// Who may open a session now.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "gelato/base/units.h"
#include "gelato/proto/error.h"

namespace gelato::edge {

struct AdmissionLimits {
  std::uint32_t sessions = 32;
  // Of one client, so that one cannot take all; 0: half of `sessions`, at least 1.
  std::uint32_t sessions_per_client = 0;
  // Tokens of all texts together when a session opens, in multiples of the cache: beyond it
  // sessions would push each other out of the cache at every round.
  double overcommit = 2.0;
};

// Counts sessions and their tokens. One thread.
class Admission {
 public:
  // `cells`: of the target's cache.
  Admission(const AdmissionLimits& limits, std::uint32_t cells);

  // Counts a session in. `held`: tokens of all sessions' texts at the moment.
  // Errors: kDraining; kBusy with a time after which to try again.
  proto::WireResult<> enter(const std::string& client, std::uint64_t held, std::uint64_t tokens);
  void leave(const std::string& client);

  // From now on nobody enters.
  void close() { closed_ = true; }
  [[nodiscard]] bool closed() const { return closed_; }
  [[nodiscard]] std::uint32_t sessions() const { return sessions_; }

 private:
  AdmissionLimits limits_;
  std::uint64_t most_tokens_;
  std::uint32_t sessions_ = 0;
  std::unordered_map<std::string, std::uint32_t> per_client_;
  bool closed_ = false;
};

}  // namespace gelato::edge
