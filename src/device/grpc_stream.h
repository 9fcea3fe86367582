// One Generate call on a completion queue of its own, driven by the thread that calls.
#pragma once

#include <gelato/v1/edge.grpc.pb.h>
#include <grpcpp/grpcpp.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "gelato/base/units.h"
#include "gelato/device/edge_transport.h"
#include "gelato/proto/wire.h"

namespace gelato::device {

// The failure of a call, from the status that it ended with.
proto::WireError error_of(const grpc::Status& status);

class GrpcStream {
 public:
  // Adds what it writes and reads to `traffic`, which must outlive this.
  GrpcStream(gelato::v1::Edge::Stub& stub, const std::string& token, proto::Dialect dialect,
             Traffic& traffic);
  ~GrpcStream();
  GrpcStream(const GrpcStream&) = delete;
  GrpcStream& operator=(const GrpcStream&) = delete;

  void send(const proto::DeviceMessage& message);
  proto::WireResult<std::optional<proto::EdgeMessage>> receive(Seconds wait);

 private:
  // What has been asked of gRPC and not been answered; the address of one is its tag.
  struct Operation {
    bool pending = false;
  };

  bool step(std::chrono::system_clock::time_point deadline);
  void finished(Operation& operation, bool ok);
  void write_next();
  void read_next();
  void ask_for_status();

  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<v1::DeviceMessage, v1::EdgeMessage>> call_;
  proto::Dialect dialect_;
  Traffic* traffic_;

  Operation start_;
  Operation write_;
  Operation read_;
  Operation finish_;
  bool started_ = false;
  bool broken_ = false;                     // no more can be written or read
  bool ended_ = false;                      // status_ is there
  std::deque<v1::DeviceMessage> outgoing_;  // at most the requests that may be in flight
  v1::EdgeMessage incoming_;
  bool received_ = false;  // incoming_ is to be handed out
  grpc::Status status_;
};

}  // namespace gelato::device
