// One gRPC stream: reads into the scheduler, writes what comes back.
#pragma once

#include <gelato/v1/edge.grpc.pb.h>
#include <grpcpp/grpcpp.h>

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "gelato/edge/batch_scheduler.h"
#include "gelato/edge/outbox.h"
#include "gelato/proto/wire.h"

namespace gelato::edge {

// The status that a call with this error ends with: code, sentence, and the Error in the details.
grpc::Status to_status(const proto::WireError& error);

// The callback API calls a reactor from its own threads; the scheduler calls an Outbox from the
// model thread and may hold it longer than gRPC holds the call. So the state is an object of its
// own, shared by both, and every gRPC operation is started under its lock.
class Stream final : public Outbox, public std::enable_shared_from_this<Stream> {
 public:
  using Reactor = grpc::ServerBidiReactor<v1::DeviceMessage, v1::EdgeMessage>;

  // `scheduler`, `metrics` and `streams` must outlive the stream; `streams` counts those that live.
  Stream(BatchScheduler& scheduler, Metrics& metrics, std::atomic<std::uint32_t>& streams);
  ~Stream() override;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // The reactor that gRPC is to run for a call; it deletes itself. `refused`: ends it at once.
  static Reactor* serve(std::shared_ptr<Stream> stream, std::string client,
                        std::optional<proto::WireError> refused);

  void send(const proto::EdgeMessage& message) override;
  void finish(const std::optional<proto::WireError>& error) override;
  [[nodiscard]] std::size_t backlog() const override;
  void consumed() override;

 private:
  class Adapter;
  void read_done(bool ok);
  void write_done(bool ok);
  void cancelled();
  void done();
  // The lock is held.
  void pump();
  void read_more();
  void end(const grpc::Status& status);

  BatchScheduler* scheduler_;
  Metrics* metrics_;
  std::atomic<std::uint32_t>* streams_;

  mutable std::mutex mutex_;
  Reactor* reactor_ = nullptr;  // null once gRPC is done with the call
  bool attached_ = false;       // the scheduler knows of it
  std::optional<proto::Dialect> dialect_;
  v1::DeviceMessage incoming_;
  bool reading_ = false;
  std::size_t unconsumed_ = 0;  // events in the mailbox
  std::deque<v1::EdgeMessage> outgoing_;
  bool writing_ = false;                // the first of outgoing_
  std::optional<grpc::Status> ending_;  // nothing is sent after outgoing_ but this
  bool finished_ = false;               // Finish() has been called
};

}  // namespace gelato::edge
