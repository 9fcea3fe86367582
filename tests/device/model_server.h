// The real edge over a model file, in the test's process.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "gelato/base/clock.h"
#include "gelato/base/log.h"
#include "gelato/edge/edge_server.h"
#include "gelato/edge/paced_target.h"
#include "gelato/engine/backend.h"
#include "gelato/engine/context.h"

namespace gelato::device {

class ModelServer {
 public:
  // With `pace`, its passes take that long.
  ModelServer(const engine::Backend& backend, const std::string& path, edge::PassPace pace = {},
              std::uint32_t sessions = 4) {
    model_ = std::move(*engine::LanguageModel::load(backend, path));
    constexpr std::uint32_t kCells = 4096;
    context_ = std::move(*engine::Context::create(
        *model_, {.tokens = kCells, .sequences = 2 * sessions, .max_rows = 256, .pool = {}}));
    real_ = std::make_unique<edge::ContextTarget>(*context_);
    target_ = std::make_unique<edge::PacedTarget>(*real_, pace, clock_);
    options.listen = "127.0.0.1:0";
    options.scheduler.admission.sessions = sessions;
    options.scheduler.context_tokens = model_->info().context_length;
  }
  void start() {
    auto server = edge::EdgeServer::start(*target_, edge::ServedModel::of(*model_).value(), options,
                                          clock_, log_);
    ASSERT_TRUE(server.has_value()) << server.error().message;
    server_ = std::move(*server);
  }
  [[nodiscard]] std::string endpoint() const {
    return "127.0.0.1:" + std::to_string(server_->port());
  }
  edge::EdgeServer* operator->() { return server_.get(); }

  edge::ServerOptions options;

 private:
  std::unique_ptr<engine::LanguageModel> model_;
  std::unique_ptr<engine::Context> context_;
  SteadyClock clock_;
  std::unique_ptr<edge::ContextTarget> real_;
  std::unique_ptr<edge::PacedTarget> target_;
  NullLog log_;
  std::unique_ptr<edge::EdgeServer> server_;
};

}  // namespace gelato::device
