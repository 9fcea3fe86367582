// What gelato bench edge was asked, what it measured, and how that is shown.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "gelato/bare_loop.h"
#include "gelato/link_options.h"
#include "gelato/llama_server_load.h"
#include "gelato/load_result.h"
#include "gelato/report/summary.h"
#include "gelato/report/terminal.h"
#include "gelato/result_output.h"

namespace gelato::cli {

struct EdgeBenchFlags {
  std::string target;  // empty: the bundled models
  std::string draft;
  std::string edge;  // empty: a child process
  bool insecure = false;
  LinkFlags link;
  std::uint32_t devices = 32;
  std::uint32_t devices_per_process = 4;
  std::string policy = "static:4";
  bool replay = false;
  std::uint32_t tokens = 128;
  double seconds = 5.0;
  std::uint32_t repetitions = 3;
  std::uint32_t batch_tokens = 512;
  std::vector<std::string> prompts;
  std::string llama_server;  // empty: not beside it
  ResultFlags output;
};

// One turn: the devices, then the bare loop twice, then llama.cpp's server.
struct EdgeBenchTurn {
  LoadResult load;
  std::optional<BareRate> bare;       // the load's batches
  std::optional<BareRate> bare_full;  // every pass with all devices
  std::optional<LlamaServerRate> llama_server;
};

// Of one device that goes through a relay, which counts the bytes.
struct WirePerRound {
  double app_up = 0.0;
  double app_down = 0.0;
  double up = 0.0;
  double down = 0.0;
};

struct EdgeBenchOutcome {
  std::vector<EdgeBenchTurn> turns;
  std::size_t processes = 0;  // of devices
  WirePerRound wire;
  double rss_mb = std::numeric_limits<double>::quiet_NaN();

  [[nodiscard]] report::Summary over(double (*quantity)(const EdgeBenchTurn&)) const {
    std::vector<double> values;
    for (const EdgeBenchTurn& turn : turns) {
      values.push_back(quantity(turn));
    }
    return report::Summary(std::move(values));
  }
  // One time of every verdict of every turn.
  [[nodiscard]] report::Summary times(Seconds AnsweredDraft::*time) const {
    std::vector<double> values;
    for (const EdgeBenchTurn& turn : turns) {
      for (const auto& device : turn.load.answers) {
        for (const AnsweredDraft& answer : device) {
          values.push_back((answer.*time).value());
        }
      }
    }
    return report::Summary(std::move(values));
  }
};

// The keys of docs/bench-edge.md.
nlohmann::json to_json(const EdgeBenchFlags& flags, const EdgeBenchOutcome& outcome);
// The table.
std::string render(const EdgeBenchFlags& flags, const EdgeBenchOutcome& outcome,
                   const report::Terminal& terminal);

}  // namespace gelato::cli
