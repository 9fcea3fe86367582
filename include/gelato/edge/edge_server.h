// The edge as a network server: gRPC for devices, HTTP for metrics, one model thread behind them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "gelato/base/clock.h"
#include "gelato/base/log.h"
#include "gelato/base/result.h"
#include "gelato/edge/batch_scheduler.h"
#include "gelato/edge/metrics.h"
#include "gelato/edge/served_model.h"
#include "gelato/edge/target.h"

namespace gelato::edge {

struct ServerOptions {
  std::string version;  // of the program, for GetInfo
  // HOST:PORT; port 0 takes a free one. A host that is not this machine's loopback needs TLS, or
  // `insecure`.
  std::string listen = "127.0.0.1:8470";
  std::string tls_cert;   // PEM files: certificate chain and key of this server
  std::string tls_key;    //
  std::string client_ca;  // PEM file: clients must show a certificate signed by one of these
  bool insecure = false;
  std::string token_file;      // authenticator.h; empty: no tokens asked for
  std::string metrics_listen;  // HOST:PORT for GET /metrics; empty: none
  std::uint32_t max_streams = 512;
  SchedulerOptions scheduler;
  // Seconds since 1970; empty: the system's clock.
  std::function<std::int64_t()> wall_clock;
};

// "host:port", "[v6]:port". Errors: kInvalidArgument.
struct Address {
  std::string host;
  std::uint16_t port = 0;
};
Result<Address> parse_address(const std::string& text);
// 127.0.0.0/8, ::1, localhost.
bool is_loopback(const std::string& host);

// What can be known to be wrong before a model is loaded: addresses, TLS and its files.
// Errors: kInvalidArgument, kNotFound.
Result<void> check(const ServerOptions& options);

class EdgeServer {
 public:
  // Listens and serves from its own threads. `target` is used by the model thread alone from here
  // on; it, `clock` and `log` must outlive the server.
  // Errors: those of check(), Authenticator::create() and BatchScheduler::create(); kIo (a port in
  // use).
  static Result<std::unique_ptr<EdgeServer>> start(Target& target, ServedModel model,
                                                   const ServerOptions& options, const Clock& clock,
                                                   Log& log);
  // Breaks every stream that is left.
  ~EdgeServer();
  EdgeServer(const EdgeServer&) = delete;
  EdgeServer& operator=(const EdgeServer&) = delete;

  // The ports that were taken; metrics: 0 without.
  [[nodiscard]] std::uint16_t port() const;
  [[nodiscard]] std::uint16_t metrics_port() const;
  [[nodiscard]] const Metrics& metrics() const;

  // Health says NOT_SERVING, nobody is admitted, every session ends as soon as what it has sent is
  // decided; the devices go on elsewhere.
  void drain();
  // Whether that is done.
  [[nodiscard]] bool drained() const;

 private:
  struct Parts;
  explicit EdgeServer(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace gelato::edge
