// The real road to an edge: gRPC, with or without TLS.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "gelato/base/result.h"
#include "gelato/device/edge_transport.h"

namespace gelato::device {

class GrpcStream;

// Where the edge is, and how both sides know each other. TLS unless `insecure`.
struct EdgeAddress {
  std::string endpoint;  // HOST:PORT to connect to
  // Name of the edge where it differs from the endpoint's host, as it does behind a LinkRelay: the
  // certificate must be for it. Empty: the endpoint's.
  std::string authority;
  bool insecure = false;
  // PEM texts. Without `ca` the system's certificates are trusted. `certificate` and `key` come
  // together, for an edge that wants to know its clients (mTLS).
  std::string ca;
  std::string certificate;
  std::string key;
  std::string token;  // sent as "authorization: Bearer TOKEN"; empty: none
};

// Whether HOST:PORT is on this machine: 127.0.0.0/8, ::1, localhost.
bool is_loopback(const std::string& endpoint);

// Errors: kInvalidArgument, one sentence: an endpoint that is not HOST:PORT, TLS material without
// TLS, a certificate without its key, PEM that is none, a token that HTTP cannot carry or that
// would travel in the clear to another machine (an endpoint that is not this machine's loopback).
Result<void> check(const EdgeAddress& address);

// Owns a connection; the thread that calls does all the work besides gRPC's own threads.
class GrpcTransport final : public EdgeTransport {
 public:
  // Connects when it is first used. `interrupted` (may be empty) is asked while info() waits.
  // Errors: check().
  static Result<std::unique_ptr<GrpcTransport>> create(const EdgeAddress& address,
                                                       std::function<bool()> interrupted);
  ~GrpcTransport() override;

  // What the edge serves.
  // Errors: the edge's, or gRPC's as a sentence; kDeadlineExceeded after `wait`; kCancelled.
  Result<proto::ServerInfo> info(Seconds wait);

  void open(const proto::Open& open) override;
  void send(const proto::DeviceMessage& message) override;
  proto::WireResult<std::optional<proto::EdgeMessage>> receive(Seconds wait) override;
  void drop() override;
  void pause(Seconds time) override;
  [[nodiscard]] Traffic traffic() const override { return traffic_; }

 private:
  class Channel;
  GrpcTransport(const EdgeAddress& address, std::function<bool()> interrupted);

  std::unique_ptr<Channel> channel_;
  std::unique_ptr<GrpcStream> stream_;
  std::function<bool()> interrupted_;
  Traffic traffic_;
};

}  // namespace gelato::device
