// Options of a device that works with an edge, and what is made of them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "gelato/base/result.h"
#include "gelato/cli11_fwd.h"
#include "gelato/device/remote_session.h"
#include "gelato/link_options.h"

namespace gelato::cli {

struct RemoteFlags {
  std::string edge = "127.0.0.1:8470";
  std::string ca;
  std::string cert;
  std::string key;
  std::string token_file;
  bool insecure = false;
  std::string wire = "auto";
  std::string when_offline = "wait";
  double give_up_s = 300.0;
  double answer_timeout_s = 10.0;
  LinkFlags link;

  std::string draft;  // empty: the bundled one
  std::uint32_t context_tokens = 0;
  std::uint32_t threads = 0;
  std::int32_t gpu_layers = -1;
  bool verbose = false;

  void add_to(CLI::App& app);
  // Reads the files that are named. `policy`: decides the wire mode where --wire does not.
  // Errors: those of read_input(), find_bundled_models(), LinkFlags::make() and check().
  [[nodiscard]] Result<device::RemoteSessionOptions> options(const std::string& policy,
                                                             std::uint64_t seed,
                                                             const Clock& clock) const;
};

// What edge and link cost: the keys of docs/json.md that a generation in one process has not.
nlohmann::json to_json(const device::RemoteUsage& usage);
// The target, as its edge describes it.
nlohmann::json to_json(const proto::ServerInfo& edge);

// "up 1.9 kB, down 2.4 kB, 47 passes at the edge, round trip 81.2 ms".
std::string usage_line(const device::RemoteUsage& usage);

}  // namespace gelato::cli
