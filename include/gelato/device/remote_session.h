// A draft model here and a target at an edge: everything that `gelato device` needs to generate,
// wired together. The counterpart of LocalSession.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gelato/device/grpc_transport.h"
#include "gelato/device/link_relay.h"
#include "gelato/device/local_session.h"
#include "gelato/device/remote_verifier.h"
#include "gelato/proto/grpc_log.h"

namespace gelato::device {

struct RemoteSessionOptions {
  EdgeAddress edge;  // its `authority` is set here
  RemoteOptions remote;
  Seconds first_contact{10.0};  // longest wait for the edge to say what it serves
  // Nothing: ids when greedy, else qrow.
  std::optional<proto::WireMode> mode;
  // The link to emulate between here and the edge; nothing: the real one as it is.
  std::optional<link::LinkEmulator> link;

  std::string draft_path;
  std::uint32_t context_tokens = 0;  // of the draft; 0: as much of the edge's as the model has
  std::uint32_t threads = 0;         // 0: engine::default_threads()
  std::int32_t gpu_layers = -1;
  // Called while loading, with the loaded fraction; false cancels.
  std::function<bool(float fraction)> progress;
};

// What the session has cost since it was opened, beyond this device's own time.
struct RemoteUsage {
  RemoteStats edge;
  Traffic messages;
  WireBytes wire;
  link::LinkEstimate link;
};

// Not thread-safe.
class RemoteSession {
 public:
  // Asks the edge what it serves, loads the draft model and sees whether the two fit. `backend`,
  // `clock` and `log` must outlive the session.
  // Errors: those of check() and GrpcTransport::info(), the edge's name in front; kUnsupported for
  // vocabularies that differ and for a draft model with recurrent state; those of
  // LanguageModel::load() and Context::create().
  static Result<std::unique_ptr<RemoteSession>> open(const engine::Backend& backend,
                                                     const Clock& clock, Log& log,
                                                     RemoteSessionOptions options);
  ~RemoteSession();
  RemoteSession(const RemoteSession&) = delete;
  RemoteSession& operator=(const RemoteSession&) = delete;

  // Token ids of a text, by the draft model's tokenizer; `chat` reads control tokens in it.
  // Errors: those of LanguageModel::tokenize().
  [[nodiscard]] Result<std::vector<spec::Token>> tokenize(std::string_view text, bool chat) const;

  // Generates under `policy`. A prompt that continues the text of the generation before it keeps
  // what the edge has of that.
  // Errors: kInvalidArgument for a sampler that the wire mode is not for, and for a prompt that the
  // edge's context does not hold; those of RoundLoop::run().
  Result<GenerationStats> generate(std::span<const spec::Token> prompt,
                                   const GenerateOptions& options, control::Policy& policy,
                                   TokenSink& sink);

  // Ends the session at the edge, and waits a moment for its account.
  std::optional<proto::Closed> close();

  [[nodiscard]] const proto::ServerInfo& info() const { return info_; }
  [[nodiscard]] const engine::LanguageModel& draft() const { return *draft_; }
  [[nodiscard]] Seconds decode_time() const { return context_->decode_time(); }
  [[nodiscard]] RemoteUsage usage() const;
  // What all connections to the edge go through.
  [[nodiscard]] LinkRelay& relay() { return *relay_; }
  // How a generation with this temperature would travel.
  [[nodiscard]] proto::WireMode mode(double temperature) const;

 private:
  RemoteSession(const Clock& clock, Log& log, RemoteSessionOptions options);
  Result<void> contact();
  Result<void> load(const engine::Backend& backend);
  Result<void> match();
  [[nodiscard]] EdgeTerms terms(const GenerateOptions& options) const;
  void prepare(const GenerateOptions& options);
  [[nodiscard]] EnergyAccount::LinkUse link_use() const;

  const Clock* clock_;
  Log* log_;
  proto::GrpcLog grpc_log_;
  RemoteSessionOptions options_;
  std::unique_ptr<LinkRelay> relay_;
  std::unique_ptr<GrpcTransport> transport_;
  proto::ServerInfo info_;
  std::unique_ptr<engine::LanguageModel> draft_;
  std::unique_ptr<engine::Context> context_;
  spec::Token common_ = 0;
  std::unique_ptr<RemoteVerifier> verifier_;
  CostTracker costs_;   // of all generations
  RemoteStats before_;  // of verifiers that are gone
};

}  // namespace gelato::device
