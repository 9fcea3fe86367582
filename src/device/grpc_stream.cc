#include "grpc_stream.h"

#include <chrono>
#include <utility>

namespace gelato::device {

proto::WireError error_of(const grpc::Status& status) {
  if (status.ok()) {
    return {proto::ErrorKind::kUnspecified, "the stream was ended before its answer", {}};
  }
  proto::WireError error;
  if (status.error_details().empty()) {
    error = proto::from_status(status.error_code(), status.error_message());
    error.retry_after = {};  // nobody has said when; Reconnect knows
  } else {
    error = proto::decode_error(status.error_details());
  }
  if (error.message.empty()) {
    error.message = "the call failed with gRPC status " + std::to_string(status.error_code());
  }
  return error;
}

GrpcStream::GrpcStream(v1::Edge::Stub& stub, const std::string& token, proto::Dialect dialect,
                       Traffic& traffic)
    : dialect_(std::move(dialect)), traffic_(&traffic) {
  if (!token.empty()) {
    context_.AddMetadata("authorization", "Bearer " + token);
  }
  call_ = stub.PrepareAsyncGenerate(&context_, &queue_);
  start_.pending = true;
  call_->StartCall(&start_);
}

// What is pending ends at once when the call is cancelled; the queue must be empty before it goes.
GrpcStream::~GrpcStream() {
  context_.TryCancel();
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
  }
}

void GrpcStream::send(const proto::DeviceMessage& message) {
  v1::DeviceMessage& out = outgoing_.emplace_back();
  proto::write(message, &dialect_, out);
  write_next();
}

void GrpcStream::write_next() {
  if (started_ && !broken_ && !write_.pending && !outgoing_.empty()) {
    traffic_->up_bytes += outgoing_.front().ByteSizeLong();
    write_.pending = true;
    call_->Write(outgoing_.front(), &write_);
  }
}

void GrpcStream::read_next() {
  if (started_ && !broken_ && !read_.pending && !received_) {
    read_.pending = true;
    call_->Read(&incoming_, &read_);
  }
}

void GrpcStream::ask_for_status() {
  broken_ = true;
  if (!finish_.pending && !ended_) {
    finish_.pending = true;
    call_->Finish(&status_, &finish_);
  }
}

void GrpcStream::finished(Operation& operation, bool ok) {
  operation.pending = false;
  if (&operation == &finish_) {
    ended_ = true;
  } else if (!ok) {
    ask_for_status();
  } else if (&operation == &start_) {
    started_ = true;
  } else if (&operation == &write_) {
    outgoing_.pop_front();
  } else {
    received_ = true;
    traffic_->down_bytes += incoming_.ByteSizeLong();
  }
}

// Lets gRPC finish one operation. False when none did before `deadline`.
bool GrpcStream::step(std::chrono::system_clock::time_point deadline) {
  void* tag = nullptr;
  bool ok = false;
  if (queue_.AsyncNext(&tag, &ok, deadline) != grpc::CompletionQueue::GOT_EVENT) {
    return false;
  }
  finished(*static_cast<Operation*>(tag), ok);
  return true;
}

proto::WireResult<std::optional<proto::EdgeMessage>> GrpcStream::receive(Seconds wait) {
  const auto deadline = std::chrono::system_clock::now() +
                        std::chrono::duration_cast<std::chrono::system_clock::duration>(
                            std::chrono::duration<double>(wait.value()));
  do {
    write_next();
    read_next();
    if (received_) {
      auto message = proto::read(incoming_, dialect_);
      received_ = false;
      read_next();
      if (!message) {
        return proto::refuse(message.error());
      }
      return std::move(*message);
    }
    if (ended_) {
      return proto::refuse(error_of(status_));
    }
  } while (step(deadline));
  return std::nullopt;
}

}  // namespace gelato::device
