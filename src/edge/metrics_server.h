// GET /metrics over HTTP.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "gelato/base/result.h"
#include "gelato/edge/metrics.h"

namespace gelato::edge {

class MetricsServer {
 public:
  // Errors: kIo (the port is in use).
  static Result<std::unique_ptr<MetricsServer>> start(const std::string& host, std::uint16_t port,
                                                      const Metrics& metrics);
  ~MetricsServer();
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  struct Parts;
  MetricsServer();
  std::unique_ptr<Parts> parts_;
  std::uint16_t port_ = 0;
};

}  // namespace gelato::edge
