#include "stream.h"

#include <utility>

#include "session_desk.h"

namespace gelato::edge {
namespace {

// Messages of one stream between the network and the model thread. A device that keeps to the
// protocol has kMaxInFlight requests and a few others there at most.
constexpr std::size_t kMaxUnconsumed = 2 * proto::kMaxInFlight;

}  // namespace

grpc::Status to_status(const proto::WireError& error) {
  return {static_cast<grpc::StatusCode>(proto::status_code(error.kind)), error.message,
          proto::encode_error(error)};
}

// What gRPC calls; passes everything on, and dies when the call is over.
class Stream::Adapter final : public Stream::Reactor {
 public:
  explicit Adapter(std::shared_ptr<Stream> stream) : stream_(std::move(stream)) {}
  void OnReadDone(bool ok) override { stream_->read_done(ok); }
  void OnWriteDone(bool ok) override { stream_->write_done(ok); }
  void OnCancel() override { stream_->cancelled(); }
  void OnDone() override {
    stream_->done();
    delete this;
  }

 private:
  std::shared_ptr<Stream> stream_;
};

Stream::Stream(BatchScheduler& scheduler, Metrics& metrics, std::atomic<std::uint32_t>& streams)
    : scheduler_(&scheduler), metrics_(&metrics), streams_(&streams) {
  ++*streams_;
}

Stream::~Stream() { --*streams_; }

Stream::Reactor* Stream::serve(std::shared_ptr<Stream> stream, std::string client,
                               std::optional<proto::WireError> refused) {
  auto* adapter = new Adapter(stream);  // OnDone() deletes it
  const std::lock_guard lock(stream->mutex_);
  stream->reactor_ = adapter;
  if (refused) {
    stream->end(to_status(*refused));
  } else {
    stream->attached_ = true;
    stream->scheduler_->attach(stream, std::move(client));
    stream->read_more();
  }
  return adapter;
}

void Stream::read_more() {
  if (!reading_ && !ending_ && unconsumed_ < kMaxUnconsumed) {
    reading_ = true;
    reactor_->StartRead(&incoming_);
  }
}

void Stream::read_done(bool ok) {
  const std::lock_guard lock(mutex_);
  reading_ = false;
  if (ending_) {
    return;
  }
  if (!ok) {  // the device will send nothing more, and has not closed the session
    end(to_status({proto::ErrorKind::kCancelled, "the device ended the stream", {}}));
    return;
  }
  auto message = proto::read(incoming_, dialect_ ? &*dialect_ : nullptr);
  if (message && !dialect_) {
    auto dialect = proto::Dialect::of(std::get<proto::Open>(*message));
    if (dialect) {
      dialect_ = std::move(*dialect);
    }
  }
  if (!message) {
    metrics_->count(message.error().kind);
    end(to_status(message.error()));
    return;
  }
  ++unconsumed_;
  scheduler_->deliver(shared_from_this(), std::move(*message));
  read_more();
}

void Stream::consumed() {
  const std::lock_guard lock(mutex_);
  --unconsumed_;
  if (reactor_ != nullptr) {
    read_more();
  }
}

void Stream::send(const proto::EdgeMessage& message) {
  const std::lock_guard lock(mutex_);
  if (ending_ || !dialect_) {
    return;
  }
  proto::write(message, *dialect_, outgoing_.emplace_back());
  pump();
}

void Stream::finish(const std::optional<proto::WireError>& error) {
  const std::lock_guard lock(mutex_);
  end(error ? to_status(*error) : grpc::Status::OK);
}

void Stream::end(const grpc::Status& status) {
  if (!ending_ && reactor_ != nullptr) {
    ending_ = status;
    pump();
  }
}

// One write at a time, then the status.
void Stream::pump() {
  if (writing_ || finished_) {
    return;
  }
  if (!outgoing_.empty()) {
    writing_ = true;
    reactor_->StartWrite(&outgoing_.front());
  } else if (ending_) {
    finished_ = true;
    reactor_->Finish(*ending_);
  }
}

void Stream::write_done(bool ok) {
  const std::lock_guard lock(mutex_);
  writing_ = false;
  outgoing_.pop_front();
  if (!ok) {
    outgoing_.clear();
    if (!ending_) {
      ending_ = grpc::Status::CANCELLED;
    }
  }
  if (outgoing_.size() + 1 == kPausingBacklog) {
    scheduler_->wake();
  }
  pump();
}

// The call is dead: what was to be written is dropped, but gRPC still waits for Finish().
void Stream::cancelled() {
  const std::lock_guard lock(mutex_);
  while (outgoing_.size() > (writing_ ? 1U : 0U)) {
    outgoing_.pop_back();
  }
  if (!ending_) {
    ending_ = grpc::Status::CANCELLED;
  }
  pump();
}

void Stream::done() {
  {
    const std::lock_guard lock(mutex_);
    reactor_ = nullptr;
    ending_ = grpc::Status::OK;
    finished_ = true;
  }
  if (attached_) {
    scheduler_->lost(shared_from_this());
  }
}

std::size_t Stream::backlog() const {
  const std::lock_guard lock(mutex_);
  return outgoing_.size();
}

}  // namespace gelato::edge
