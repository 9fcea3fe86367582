// A generation of toy models across a toy edge, as the tests of the device's remote side use it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gelato/base/log.h"
#include "gelato/control/policy.h"
#include "gelato/device/remote_verifier.h"
#include "gelato/device/round_loop.h"
#include "tests/device/collecting_sink.h"
#include "tests/support/toy_edge.h"
#include "tests/support/toy_model.h"

namespace gelato::device {

// Keeps the lines.
class MemoryLog final : public Log {
 public:
  void write(LogLevel, std::string_view line) override { lines.emplace_back(line); }
  std::vector<std::string> lines;
};

class ToySession {
 public:
  ToySession(const toy::ToyModel& target, const toy::ToyModel& draft, proto::WireMode mode,
             std::uint64_t seed = 1)
      : edge(target, clock), terms_(terms(target, mode, seed)) {
    const bool greedy = mode == proto::WireMode::kIds;
    if (mode == proto::WireMode::kQRow) {
      codec_ = spec::DistCodec::create(terms_.rows).value();
    }
    drafter_ = std::make_unique<toy::ToyDrafter>(
        draft, greedy ? spec::Mode::kGreedy : spec::Mode::kSampling, seed,
        codec_ ? &*codec_ : nullptr);
  }

  Result<GenerationStats> write(const std::string& policy, std::uint64_t tokens) {
    return write(*control::make_policy(policy).value(), tokens);
  }
  Result<GenerationStats> write(control::Policy& policy, std::uint64_t tokens) {
    if (!verifier) {
      verifier =
          std::make_unique<RemoteVerifier>(edge, clock, log, Rng(1, "jitter"), terms_, options);
    }
    RoundLoop loop(*verifier, clock,
                   {.max_tokens = tokens,
                    .context_tokens = context_tokens,
                    .end_of_generation = {},
                    .greedy = terms_.mode == proto::WireMode::kIds,
                    .draft_when_away = options.when_offline == WhenOffline::kDraft});
    loop.speculate(*drafter_, policy);
    return loop.run(prompt, sink);
  }

  VirtualClock clock;
  MemoryLog log;
  ToyEdge edge;
  RemoteOptions options{.name = "toy:1", .reconnect = {}, .interrupted = {}};
  std::uint32_t context_tokens = 1024;
  std::vector<spec::Token> prompt{1, 0};
  CollectingSink sink;
  std::unique_ptr<RemoteVerifier> verifier;

 private:
  static EdgeTerms terms(const toy::ToyModel& target, proto::WireMode mode, std::uint64_t seed) {
    return {
        .n_vocab = target.n_vocab(),
        .common_vocab = target.n_vocab(),
        .mode = mode,
        .sampling = {.temperature = mode == proto::WireMode::kIds ? 0.0 : 1.0},
        .seed = seed,
        .rows = {.max_entries = 4, .weight_bits = 5, .max_bytes = 8, .n_vocab = target.n_vocab()}};
  }
  EdgeTerms terms_;
  std::optional<spec::DistCodec> codec_;
  std::unique_ptr<toy::ToyDrafter> drafter_;
};

}  // namespace gelato::device
