// llama.cpp's own server under as many clients as the edge has devices: the target alone writes,
// and every token is streamed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "gelato/base/clock.h"
#include "gelato/base/result.h"
#include "gelato/edge_process.h"
#include "gelato/spec/draft.h"

namespace gelato::cli {

struct LlamaServerPlan {
  std::string program;  // llama-server
  std::string model;
  std::uint32_t clients = 32;  // each has a slot of its own
  std::uint32_t threads = 1;
  std::uint32_t tokens = 128;  // of each text
  Seconds window{5.0};         // measured, once every client has a text
  std::vector<std::vector<spec::Token>> prompts;
};

struct LlamaServerRate {
  double tokens_per_s = 0.0;  // all clients together
  double cpu_s_per_token = 0.0;
};

class LlamaServerLoad {
 public:
  // Starts the server on a free port of the loopback; it ends with this object. `clock` must
  // outlive the load. Errors: those of EdgeProcess::start_server().
  static Result<std::unique_ptr<LlamaServerLoad>> create(LlamaServerPlan plan, const Clock& clock);

  // All clients ask for greedy texts, one after the other, until the window is over.
  // Errors: kUnavailable if a client is not answered with a text; kDeadlineExceeded, kCancelled.
  Result<LlamaServerRate> run();

 private:
  LlamaServerLoad(LlamaServerPlan plan, std::unique_ptr<EdgeProcess> server, const Clock& clock)
      : plan_(std::move(plan)), server_(std::move(server)), clock_(&clock) {}
  class Client;

  LlamaServerPlan plan_;
  std::unique_ptr<EdgeProcess> server_;
  const Clock* clock_;
};

}  // namespace gelato::cli
