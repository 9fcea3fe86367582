// Options that steer a generation, and its statistics as JSON and as a line.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "gelato/cli11_fwd.h"
#include "gelato/device/local_session.h"

namespace gelato::cli {

struct GenerationFlags {
  engine::SamplerParams sampler;
  std::string seed = "-1";
  std::int64_t predict = 256;

  void add_to(CLI::App& app);
  // Errors: kInvalidArgument, naming the option that is out of range. A seed of -1 is drawn.
  [[nodiscard]] Result<device::GenerateOptions> options() const;
};

// A prompt out of a file, or of standard input for "-". The end of the file's last line is not part
// of it. Errors: those of read_input() with engine::kMaxTextBytes.
Result<std::string> read_prompt_file(const std::string& path);

// The keys of docs/json.md that one generation can fill in. `decode_time` is the part of the total
// that was spent inside llama.cpp.
nlohmann::json to_json(const device::GenerationStats& stats, Seconds decode_time);

// "128 tokens in 0.07 s, ...": tokens, tok/s, acceptance rate, mean committed per round, passes of
// the target saved.
std::string summary_line(const device::GenerationStats& stats);

}  // namespace gelato::cli
