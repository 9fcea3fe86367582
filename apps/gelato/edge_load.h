// Devices at an edge in this process, with the real client code: a thread, a connection and a draft
// context each. LoadProcesses runs several such processes.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gelato/base/clock.h"
#include "gelato/base/log.h"
#include "gelato/base/result.h"
#include "gelato/device/edge_dialogue.h"
#include "gelato/device/grpc_transport.h"
#include "gelato/engine/language_model.h"
#include "gelato/link_options.h"
#include "gelato/load_result.h"
#include "gelato/replay_drafter.h"

namespace gelato::cli {

struct LoadPlan {
  device::EdgeAddress edge;  // with no more than an endpoint and `insecure`
  LinkFlags link;            // each device has one of its own
  std::uint32_t devices = 32;
  std::uint32_t first = 0;  // the number of the first of them
  std::string policy = "static:4";
  bool replay = false;
  std::uint32_t tokens = 128;  // of each text
  std::vector<std::vector<spec::Token>> prompts;
};

class EdgeLoad {
 public:
  // Asks the edge what it serves; in a plan with `replay`, writes every prompt's text once to learn
  // the drafts; both without the link. `draft`, `clock` and `log` must outlive the load.
  // Errors: those of GrpcTransport, Context::create() and make_policy(); kUnsupported for a draft
  // model whose vocabulary has not as many tokens as the edge's.
  static Result<std::unique_ptr<EdgeLoad>> create(LoadPlan plan, const engine::LanguageModel& draft,
                                                  const Clock& clock, Log& log);
  ~EdgeLoad();
  EdgeLoad(const EdgeLoad&) = delete;
  EdgeLoad& operator=(const EdgeLoad&) = delete;

  // All devices begin to write texts, one after the other; returns when each has written one.
  // Errors: the first that a device had, kDeadlineExceeded, kCancelled; all devices have stopped.
  Result<void> begin();
  // Stops them; what they saw since begin(), of no window.
  // Errors: the first that a device had; kCancelled.
  Result<LoadResult> end();

 private:
  class Device;
  EdgeLoad(LoadPlan plan, const engine::LanguageModel& draft, const Clock& clock, Log& log);
  Result<void> contact();
  Result<void> learn_drafts();
  // Ends all devices' texts. Errors: the first that a device had; kCancelled.
  Result<void> stop();

  LoadPlan plan_;
  const engine::LanguageModel* draft_;
  const Clock* clock_;
  Log* log_;
  proto::ServerInfo info_;
  device::EdgeTerms terms_;
  DraftScript script_;
  std::vector<std::unique_ptr<Device>> devices_;
  std::vector<Result<void>> outcomes_;
  std::vector<std::thread> threads_;
  std::atomic<bool> stop_{false};
  std::atomic<std::size_t> ended_{0};
};

}  // namespace gelato::cli
