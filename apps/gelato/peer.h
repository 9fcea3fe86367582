// llama.cpp's own speculative decoding, measured beside ours: its example program
// llama-speculative-simple, which `make peers` compiles against the libraries that Gelato uses.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gelato/base/clock.h"
#include "gelato/contender.h"
#include "gelato/model_options.h"

namespace gelato::cli {

// Where `make peers` leaves the program, looked for above the place of this one; empty if it is not
// there.
std::string find_peer();

// Reads the figures at the end of the program's log: its lines "encoded N tokens ... speed: X t/s",
// "decoded N tokens ...", "n_drafted = N" and "n_accept = N". A run may decode up to one draft more
// than was asked for. Errors: kCorrupt, naming the line that is missing or makes no sense.
Result<Measurement> read_peer_log(std::string_view log);

struct PeerOptions {
  std::string program;
  ModelFlags models;  // with both files named
  std::uint32_t context_tokens = 0;
  std::uint32_t target_threads = 1;
  std::uint32_t draft_threads = 1;
  std::uint32_t gamma = 1;  // every draft has this many tokens
  std::uint64_t max_tokens = 0;
};

// One process per generation. The time to load the models is not counted.
class PeerContender final : public Contender {
 public:
  // `clock` must outlive this.
  PeerContender(PeerOptions options, const Clock& clock);

  [[nodiscard]] std::string label() const override;
  // The text of the result is all that the program wrote, the prompt included.
  // Errors: those of run_process() and read_peer_log(); kInternal if it fails, with its last words.
  Result<Generation> generate(const std::string& prompt) override;

 private:
  [[nodiscard]] Result<Generation> generate_once(const std::string& prompt) const;
  [[nodiscard]] std::vector<std::string> command(const std::string& prompt) const;

  PeerOptions options_;
  const Clock* clock_;
};

}  // namespace gelato::cli
