// Options on models and generation that several commands share, and what is made of them.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "gelato/base/clock.h"
#include "gelato/base/log.h"
#include "gelato/base/result.h"
#include "gelato/device/local_session.h"
#include "gelato/engine/backend.h"
#include "gelato/report/manifest.h"

namespace gelato::cli {

struct ModelFlags {
  std::string target;  // empty: the bundled pair
  std::string draft;
  bool no_draft = false;
  std::uint32_t context_tokens = 0;
  std::uint32_t target_threads = 0;
  std::uint32_t draft_threads = 0;
  std::int32_t target_gpu_layers = -1;
  std::int32_t draft_gpu_layers = -1;
  bool verbose = false;

  void add_to(CLI::App& app);
};

// Paths of the models that ship with Gelato, found from the place of the program.
// Errors: kNotFound.
struct BundledModels {
  std::string target;
  std::string draft;
  std::string small_draft;
};
Result<BundledModels> find_bundled_models();

// llama.cpp and a session on it, in the order in which they must be destroyed.
class Workplace {
 public:
  // Loads what `flags` name, with a progress bar on a terminal.
  static Result<std::unique_ptr<Workplace>> open(const ModelFlags& flags);

  [[nodiscard]] device::LocalSession& session() { return *session_; }
  [[nodiscard]] const engine::Backend& backend() const { return *backend_; }
  [[nodiscard]] const Clock& clock() const { return clock_; }
  // Program, machine and models, for a result's JSON.
  [[nodiscard]] Result<report::RunManifest> manifest(std::uint64_t seed) const;

 private:
  SteadyClock clock_;
  std::unique_ptr<Log> log_;
  std::unique_ptr<engine::Backend> backend_;
  std::unique_ptr<device::LocalSession> session_;
};

}  // namespace gelato::cli
