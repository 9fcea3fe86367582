// Many devices at one edge, with the real client code: a thread, a connection and a draft context
// each.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "gelato/base/clock.h"
#include "gelato/base/log.h"
#include "gelato/base/result.h"
#include "gelato/device/edge_dialogue.h"
#include "gelato/device/grpc_transport.h"
#include "gelato/engine/language_model.h"
#include "gelato/measured_transport.h"
#include "gelato/replay_drafter.h"

namespace gelato::cli {

struct LoadPlan {
  device::EdgeAddress edge;
  std::uint32_t devices = 32;
  std::string policy = "static:4";
  bool replay = false;
  std::uint32_t tokens = 128;  // of each text
  Seconds window{5.0};         // measured, once every device has written a text
  std::vector<std::string> prompts;
  // Processor time that the edge has used so far; empty where that cannot be known.
  std::function<double()> edge_cpu_s;
};

// What the window saw.
struct LoadResult {
  Seconds window;
  double edge_cpu_s = std::numeric_limits<double>::quiet_NaN();  // in the window
  std::vector<std::vector<AnsweredDraft>> answers;               // by device
  std::uint64_t losses = 0;                                      // of connections, whole run

  // Tokens that one device, or all, committed per second.
  [[nodiscard]] double tokens_per_s(std::size_t device) const;
  [[nodiscard]] double tokens_per_s() const;
  // Slowest device over the mean of all: by tokens, which hang on the texts too, and by rounds.
  [[nodiscard]] double fairness() const;
  [[nodiscard]] double round_fairness() const;
  [[nodiscard]] std::uint64_t rounds() const;
  [[nodiscard]] double passes() const;
  // Sessions in a pass, mean over passes.
  [[nodiscard]] double occupancy() const;
  // Fraction of the window that the edge spent in verification passes.
  [[nodiscard]] double busy() const;
  [[nodiscard]] double mean_draft() const;
  // Serialised messages per round, between the first and the last verdict of each device.
  [[nodiscard]] double up_bytes_per_round() const;
  [[nodiscard]] double down_bytes_per_round() const;
};

class EdgeLoad {
 public:
  // Asks the edge what it serves; in a plan with `replay`, writes every prompt's text once to learn
  // the drafts. `draft`, `clock` and `log` must outlive the load.
  // Errors: those of GrpcTransport, Context::create() and make_policy(); kUnsupported for a draft
  // model whose vocabulary has not as many tokens as the edge's.
  static Result<std::unique_ptr<EdgeLoad>> create(const LoadPlan& plan,
                                                  const engine::LanguageModel& draft,
                                                  const Clock& clock, Log& log);
  ~EdgeLoad();
  EdgeLoad(const EdgeLoad&) = delete;
  EdgeLoad& operator=(const EdgeLoad&) = delete;

  // All devices write texts, one after the other, until the window is over.
  // Errors: the first that a device had; kCancelled.
  Result<LoadResult> run();

  // Token ids of the prompts.
  [[nodiscard]] const std::vector<std::vector<spec::Token>>& prompts() const { return prompts_; }

 private:
  class Device;
  EdgeLoad(LoadPlan plan, const engine::LanguageModel& draft, const Clock& clock, Log& log);
  Result<void> contact();
  Result<void> learn_drafts();

  LoadPlan plan_;
  const engine::LanguageModel* draft_;
  const Clock* clock_;
  Log* log_;
  proto::ServerInfo info_;
  device::EdgeTerms terms_;
  std::vector<std::vector<spec::Token>> prompts_;
  DraftScript script_;
};

}  // namespace gelato::cli
