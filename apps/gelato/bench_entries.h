// Who takes part in `gelato bench local`, and the rows that come of it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gelato/comparison.h"
#include "gelato/model_options.h"
#include "gelato/result_output.h"

namespace gelato::cli {

struct BenchFlags {
  ModelFlags models;
  std::vector<std::string> prompts;
  std::vector<std::string> prompt_files;
  std::uint32_t tokens = 128;
  std::uint32_t repetitions = 5;
  std::vector<std::uint32_t> gammas = {1, 2, 4, 8};
  std::vector<std::string> policies;
  std::string peer;
  bool no_peer = false;
  ResultFlags output;
};

inline constexpr std::string_view kOurs = "gelato";
inline constexpr std::string_view kPeer = "llama-speculative-simple";

// A contender and what its row is about.
struct Entry {
  std::unique_ptr<Contender> contender;
  std::string_view engine = kOurs;
  std::string policy;                  // "target-only" for the target alone
  std::optional<std::uint32_t> gamma;  // of a static policy
};

// The peer's program if it is to take part and works. Else empty, and a line on standard error says
// why. Errors: why it does not work, when the user named it; kCancelled.
Result<std::string> usable_peer(const BenchFlags& flags, const device::LocalSession& session,
                                const Clock& clock, const std::string& prompt);

// The target alone, then each draft length, ours and the peer's side by side, then other policies.
// No rows of the peer if `peer` is empty. Errors: those of control::make_policy().
Result<std::vector<Entry>> bench_entries(const BenchFlags& flags, device::LocalSession& session,
                                         const std::string& peer, const Clock& clock);

// The result, rows in the order of the entries. The first is the target alone.
struct Outcome {
  std::vector<Entry> entries;
  std::vector<Row> rows;

  [[nodiscard]] const Row& alone() const { return rows.front(); }
  [[nodiscard]] bool has_peer() const;
  // Rates of row `i`, ours with a static policy, relative to the peer's with the same drafts; of no
  // samples if it is not such a row or there is no peer.
  [[nodiscard]] report::Summary relative_to_peer(std::size_t i) const;
};

}  // namespace gelato::cli
