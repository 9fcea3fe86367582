// Options on models and generation that several commands share, and what is made of them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gelato/base/clock.h"
#include "gelato/base/log.h"
#include "gelato/base/result.h"
#include "gelato/cli11_fwd.h"
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
  // Whether these flags, the bundled models included, name a draft.
  [[nodiscard]] bool has_draft() const { return !no_draft && (!draft.empty() || target.empty()); }
};

// The path of `below` in the nearest folder above this program that has it; empty if none has.
std::string find_upwards(const std::string& below);

// Paths of the models that ship with Gelato, found from the place of the program.
// Errors: kNotFound.
struct BundledModels {
  std::string folder;
  std::string target;
  std::string draft;
  std::string small_draft;
};
Result<BundledModels> find_bundled_models();

// llama.cpp and the sessions on it, in the order in which they must be destroyed.
class Workplace {
 public:
  // Starts llama.cpp. Errors: those of engine::Backend::create().
  static Result<std::unique_ptr<Workplace>> create(bool verbose);

  // Loads what `flags` name, with a progress bar on a terminal. The session lives as long as this.
  // Errors: kInvalidArgument for flags that exclude each other; those of LocalSession::open().
  Result<device::LocalSession*> open(const ModelFlags& flags);

  [[nodiscard]] const engine::Backend& backend() const { return *backend_; }
  [[nodiscard]] const Clock& clock() const { return clock_; }

 private:
  SteadyClock clock_;
  std::unique_ptr<Log> log_;
  std::unique_ptr<engine::Backend> backend_;
  std::vector<std::unique_ptr<device::LocalSession>> sessions_;
};

// Program, machine and models (role and path), for a result's JSON. Reads the model files.
Result<report::RunManifest> describe_run(
    const std::vector<std::pair<std::string, std::string>>& models, std::uint64_t seed);
Result<report::RunManifest> describe_run(const device::LocalSession& session, std::uint64_t seed);

}  // namespace gelato::cli
