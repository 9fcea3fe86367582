// The real edge server on loopback with a toy target, and the device's side of a connection to it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "gelato/base/clock.h"
#include "gelato/base/log.h"
#include "gelato/control/policy.h"
#include "gelato/device/grpc_transport.h"
#include "gelato/device/remote_verifier.h"
#include "gelato/device/round_loop.h"
#include "gelato/edge/edge_server.h"
#include "tests/device/collecting_sink.h"
#include "tests/device/eventually.h"
#include "tests/edge/toy_target.h"

namespace gelato::device {

// May be stopped and started again on its port.
class ToyServer {
 public:
  explicit ToyServer(const toy::ToyModel& model) : model_(&model) {
    options.listen = "127.0.0.1:0";
    options.scheduler.admission.sessions = 6;
  }
  void start() {
    target_ = std::make_unique<edge::ToyTarget>(*model_, 65536);
    auto server = edge::EdgeServer::start(*target_, edge::toy_served(model_->n_vocab()), options,
                                          clock_, log_);
    ASSERT_TRUE(server.has_value()) << server.error().message;
    server_ = std::move(*server);
    options.listen = endpoint();
  }
  void stop() {
    server_.reset();
    target_.reset();
  }
  [[nodiscard]] std::string endpoint() const {
    return "127.0.0.1:" + std::to_string(server_->port());
  }
  edge::EdgeServer& operator*() { return *server_; }
  edge::EdgeServer* operator->() { return server_.get(); }

  edge::ServerOptions options;

 private:
  const toy::ToyModel* model_;
  SteadyClock clock_;
  NullLog log_;
  std::unique_ptr<edge::ToyTarget> target_;
  std::unique_ptr<edge::EdgeServer> server_;
};

// A device of one address.
class ToyDevice {
 public:
  // `draft` must outlive this.
  ToyDevice(const toy::ToyModel& draft, const EdgeAddress& address, proto::WireMode mode,
            std::uint64_t seed = 1, RemoteOptions options = quick(), Log& log = silence())
      : draft_(&draft), log_(&log), options_(std::move(options)) {
    auto made = GrpcTransport::create(address, options_.interrupted);
    EXPECT_TRUE(made.has_value()) << made.error().message;
    transport = std::move(*made);
    options_.name = address.endpoint;
    restart(mode, seed);
  }

  // Forgets everything but the connection.
  void restart(proto::WireMode mode, std::uint64_t seed) {
    const spec::Token n_vocab = draft_->n_vocab();
    const EdgeTerms terms{
        .n_vocab = n_vocab,
        .common_vocab = n_vocab,
        .vocabulary_fingerprint = spec::fingerprint(edge::toy_vocabulary(n_vocab)),
        .mode = mode,
        .sampling = {.temperature = mode == proto::WireMode::kIds ? 0.0 : 1.0},
        .seed = seed,
        .rows = {.max_entries = 4, .weight_bits = 5, .max_bytes = 8, .n_vocab = n_vocab}};
    codec_ = std::make_unique<spec::DistCodec>(spec::DistCodec::create(terms.rows).value());
    verifier.reset();
    verifier = std::make_unique<RemoteVerifier>(*transport, clock_, *log_, Rng(seed, "jitter"),
                                                terms, options_);
    drafter_ = std::make_unique<toy::ToyDrafter>(
        *draft_, mode == proto::WireMode::kIds ? spec::Mode::kGreedy : spec::Mode::kSampling, seed,
        mode == proto::WireMode::kQRow ? codec_.get() : nullptr);
  }

  // Deadlines that do not keep a test waiting.
  static RemoteOptions quick() {
    RemoteOptions options;
    options.reconnect.first = Seconds(0.01);
    options.reconnect.longest = Seconds(0.05);
    return options;
  }

  Result<GenerationStats> write(const std::vector<spec::Token>& prompt, const std::string& policy,
                                std::uint64_t tokens) {
    const auto p = control::make_policy(policy).value();
    RoundLoop loop(*verifier, clock_,
                   {.max_tokens = tokens,
                    .context_tokens = context_tokens,
                    .end_of_generation = {},
                    .draft_when_away = options_.when_offline == WhenOffline::kDraft});
    loop.speculate(*drafter_, *p);
    return loop.run(prompt, sink);
  }

  std::uint32_t context_tokens = 2048;
  CollectingSink sink;

 private:
  SteadyClock clock_;  // the verifier looks at it while it closes

 public:
  std::unique_ptr<GrpcTransport> transport;
  std::unique_ptr<RemoteVerifier> verifier;

 private:
  static Log& silence() {
    static NullLog log;
    return log;
  }
  const toy::ToyModel* draft_;
  Log* log_;
  RemoteOptions options_;
  std::unique_ptr<spec::DistCodec> codec_;
  std::unique_ptr<toy::ToyDrafter> drafter_;
};

}  // namespace gelato::device
