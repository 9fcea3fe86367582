// The gRPC service: says who calls, and hands each stream to the scheduler.
#pragma once

#include <gelato/v1/edge.grpc.pb.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <cstdint>

#include "gelato/edge/authenticator.h"
#include "gelato/edge/batch_scheduler.h"
#include "gelato/edge/metrics.h"
#include "gelato/proto/messages.h"

namespace gelato::edge {

// The callback API: a stream costs an object and no thread, gRPC ends every call with OnDone()
// whatever happens to it, and Server::Shutdown() returns after the last of them.
class VerifyService final : public v1::Edge::CallbackService {
 public:
  // `authenticator` may be null. All must outlive this.
  VerifyService(proto::ServerInfo info, BatchScheduler& scheduler, Authenticator* authenticator,
                Metrics& metrics, std::uint32_t max_streams);

  grpc::ServerUnaryReactor* GetInfo(grpc::CallbackServerContext* context,
                                    const v1::InfoRequest* request, v1::InfoReply* reply) override;
  grpc::ServerBidiReactor<v1::DeviceMessage, v1::EdgeMessage>* Generate(
      grpc::CallbackServerContext* context) override;

 private:
  // The client's name: of its token, else of its certificate, else its address.
  proto::WireResult<std::string> client(const grpc::CallbackServerContext& context);

  proto::ServerInfo info_;
  BatchScheduler* scheduler_;
  Authenticator* authenticator_;
  Metrics* metrics_;
  std::uint32_t max_streams_;
  std::atomic<std::uint32_t> streams_{0};
};

}  // namespace gelato::edge
