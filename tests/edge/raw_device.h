// A device reduced to its stream: sends any message, reads the answers.
#pragma once

#include <gelato/v1/edge.grpc.pb.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gelato/proto/wire.h"

namespace gelato::edge {

// Longer than anything here takes; a test that reaches it fails instead of hanging.
inline constexpr std::chrono::seconds kTestDeadline{60};

inline std::shared_ptr<grpc::Channel> connect(
    std::uint16_t port,
    const std::shared_ptr<grpc::ChannelCredentials>& how = grpc::InsecureChannelCredentials()) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxSendMessageSize(-1);
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // its own connection
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);  // buffers do not grow for who does not read
  return grpc::CreateCustomChannel("localhost:" + std::to_string(port), how, arguments);
}

class RawDevice {
 public:
  explicit RawDevice(const std::shared_ptr<grpc::Channel>& channel, const std::string& token = {})
      : stub_(v1::Edge::NewStub(channel)) {
    context_.set_deadline(std::chrono::system_clock::now() + kTestDeadline);
    if (!token.empty()) {
      context_.AddMetadata("authorization", "Bearer " + token);
    }
    stream_ = stub_->Generate(&context_);
  }

  bool send_raw(const v1::DeviceMessage& message) { return stream_->Write(message); }
  bool send(const proto::DeviceMessage& message) {
    if (const auto* open = std::get_if<proto::Open>(&message)) {
      auto dialect = proto::Dialect::of(*open);
      EXPECT_TRUE(dialect.has_value());
      dialect_ = std::move(*dialect);
    }
    v1::DeviceMessage out;
    proto::write(message, dialect_ ? &*dialect_ : nullptr, out);
    return send_raw(out);
  }

  // The next answer; nullopt when the stream is over.
  std::optional<proto::EdgeMessage> read() {
    v1::EdgeMessage in;
    if (!stream_->Read(&in)) {
      return std::nullopt;
    }
    down_bytes += in.ByteSizeLong();
    auto message = proto::read(in, *dialect_);
    EXPECT_TRUE(message.has_value()) << message.error().message;
    return message ? std::optional(std::move(*message)) : std::nullopt;
  }
  template <class Message>
  Message expect() {
    auto message = read();
    if (!message || !std::holds_alternative<Message>(*message)) {
      ADD_FAILURE() << "another answer was expected"
                    << (message ? "" : ", not the end: " + end().message);
      return {};
    }
    return std::get<Message>(std::move(*message));
  }

  // How the stream ended; kUnspecified with an empty sentence if well. Reads what is left.
  proto::WireError end() {
    if (!status_) {
      v1::EdgeMessage in;
      while (stream_->Read(&in)) {
      }
      status_ = stream_->Finish();
    }
    if (status_->ok()) {
      return {proto::ErrorKind::kUnspecified, {}, {}};
    }
    return status_->error_details().empty()
               ? proto::from_status(status_->error_code(), status_->error_message())
               : proto::decode_error(status_->error_details());
  }
  [[nodiscard]] const grpc::Status& status() const { return *status_; }
  void hang_up() { context_.TryCancel(); }
  bool writes_done() { return stream_->WritesDone(); }

  // Opens, and waits until it is open.
  proto::Opened open(const proto::Open& open) {
    send(open);
    return expect<proto::Opened>();
  }
  // A draft without rows.
  static proto::Draft draft(std::uint32_t after, std::uint32_t base,
                            const std::vector<spec::Token>& tokens, bool no_bonus = false) {
    proto::Draft out;
    out.place = {.after = after, .base = base, .drawn = {}};
    for (const spec::Token token : tokens) {
      out.draft.push(token).assign_one_hot(token);
    }
    out.no_bonus = no_bonus;
    return out;
  }
  proto::Verdict verify(const proto::Draft& draft) {
    send(draft);
    return expect<proto::Verdict>();
  }

  std::size_t down_bytes = 0;

 private:
  std::unique_ptr<v1::Edge::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::DeviceMessage, v1::EdgeMessage>> stream_;
  std::optional<proto::Dialect> dialect_;
  std::optional<grpc::Status> status_;
};

}  // namespace gelato::edge
