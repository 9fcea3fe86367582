#include "gelato/device/grpc_transport.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string_view>
#include <thread>
#include <utility>

#include "grpc_stream.h"

namespace gelato::device {
namespace {

constexpr Seconds kSlice{0.1};  // between two looks at `interrupted`

std::chrono::system_clock::time_point from_now(Seconds wait) {
  return std::chrono::system_clock::now() +
         std::chrono::duration_cast<std::chrono::system_clock::duration>(
             std::chrono::duration<double>(wait.value()));
}

// HOST of HOST:PORT, without the brackets of an IPv6 address; empty if the text is no such thing.
std::string_view host_of(std::string_view endpoint) {
  const std::size_t colon = endpoint.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == endpoint.size() ||
      endpoint.size() - colon > 6 ||
      !std::all_of(endpoint.begin() + static_cast<std::ptrdiff_t>(colon) + 1, endpoint.end(),
                   [](char c) { return c >= '0' && c <= '9'; })) {
    return {};
  }
  std::string_view host = endpoint.substr(0, colon);
  if (host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find_first_of(":/[] \t\n") != std::string_view::npos) {
    return {};
  }
  return host;
}

bool is_pem(std::string_view text) { return text.find("-----BEGIN ") != std::string_view::npos; }

// RFC 6750, "b64token": what may stand after "Bearer".
bool is_token(std::string_view token) {
  return std::all_of(token.begin(), token.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           std::string_view("-._~+/=").find(c) != std::string_view::npos;
  });
}

Result<void> check_tls(const EdgeAddress& address) {
  if (address.insecure &&
      !(address.ca.empty() && address.certificate.empty() && address.key.empty())) {
    return fail(ErrorCode::kInvalidArgument,
                "certificates are of no use without TLS; leave them out or leave out --insecure");
  }
  if (address.certificate.empty() != address.key.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                "a client certificate and its key come together; give both or neither");
  }
  for (const auto& [what, text] : {std::pair{"CA certificates", &address.ca},
                                   std::pair{"client certificate", &address.certificate},
                                   std::pair{"client key", &address.key}}) {
    if (!text->empty() && !is_pem(*text)) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("the file of the {} is not PEM", what));
    }
  }
  return {};
}

std::shared_ptr<grpc::ChannelCredentials> credentials(const EdgeAddress& address) {
  if (address.insecure) {
    return grpc::InsecureChannelCredentials();
  }
  return grpc::SslCredentials({.pem_root_certs = address.ca,
                               .pem_private_key = address.key,
                               .pem_cert_chain = address.certificate});
}

grpc::ChannelArguments arguments(const EdgeAddress& address) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(proto::kMaxEdgeMessageBytes);
  // When to try again is the verifier's decision, and every attempt gets a connection of its own.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // An edge is nearby; a relay is on this machine.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // Flow-control windows that fit the largest message at once, instead of pings that measure.
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, proto::kMaxEdgeMessageBytes);
  if (!address.authority.empty()) {
    arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, address.authority);
    if (!address.insecure) {
      arguments.SetSslTargetNameOverride(std::string(host_of(address.authority)));
    }
  }
  return arguments;
}

}  // namespace

bool is_loopback(const std::string& endpoint) {
  const std::string_view host = host_of(endpoint);
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

Result<void> check(const EdgeAddress& address) {
  if (host_of(address.endpoint).empty()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("\"{:.100}\" is not the address of an edge; write HOST:PORT, such as "
                            "edge.local:50051 or [::1]:50051",
                            address.endpoint));
  }
  if (auto ok = check_tls(address); !ok) {
    return ok;
  }
  if (!is_token(address.token)) {
    return fail(ErrorCode::kInvalidArgument,
                "the token has characters that a bearer token cannot have (RFC 6750)");
  }
  const std::string& edge = address.authority.empty() ? address.endpoint : address.authority;
  if (address.insecure && !address.token.empty() && !is_loopback(edge)) {
    return fail(ErrorCode::kInvalidArgument,
                "a token would travel in the clear for anyone to read and use; leave out "
                "--insecure, or the token");
  }
  return {};
}

// A connection to the edge and the way to make the next one.
class GrpcTransport::Channel {
 public:
  explicit Channel(EdgeAddress address)
      : address_(std::move(address)), credentials_(credentials(address_)) {}

  v1::Edge::Stub& stub() {
    if (!stub_) {
      stub_ = v1::Edge::NewStub(
          grpc::CreateCustomChannel(address_.endpoint, credentials_, arguments(address_)));
    }
    return *stub_;
  }
  // The next stub() connects anew, whatever gRPC thinks of the old connection.
  void renew() { stub_.reset(); }
  [[nodiscard]] const std::string& token() const { return address_.token; }

 private:
  EdgeAddress address_;
  std::shared_ptr<grpc::ChannelCredentials> credentials_;
  std::unique_ptr<v1::Edge::Stub> stub_;
};

GrpcTransport::GrpcTransport(const EdgeAddress& address, std::function<bool()> interrupted)
    : channel_(std::make_unique<Channel>(address)), interrupted_(std::move(interrupted)) {}

GrpcTransport::~GrpcTransport() = default;

Result<std::unique_ptr<GrpcTransport>> GrpcTransport::create(const EdgeAddress& address,
                                                             std::function<bool()> interrupted) {
  if (auto ok = check(address); !ok) {
    return fail(ok.error());
  }
  return std::unique_ptr<GrpcTransport>(new GrpcTransport(address, std::move(interrupted)));
}

Result<proto::ServerInfo> GrpcTransport::info(Seconds wait) {
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  if (!channel_->token().empty()) {
    context.AddMetadata("authorization", "Bearer " + channel_->token());
  }
  context.set_deadline(from_now(wait));
  v1::InfoRequest request;
  request.set_protocol(proto::kProtocol);
  v1::InfoReply reply;
  grpc::Status status;
  const auto call = channel_->stub().AsyncGetInfo(&context, request, &queue);
  call->Finish(&reply, &status, &status);
  void* tag = nullptr;
  bool ok = false;
  while (queue.AsyncNext(&tag, &ok, from_now(kSlice)) == grpc::CompletionQueue::TIMEOUT) {
    if (interrupted_ && interrupted_()) {
      context.TryCancel();
    }
  }
  queue.Shutdown();
  while (queue.Next(&tag, &ok)) {
  }
  if (!status.ok()) {
    channel_->renew();
    return fail(proto::to_error(error_of(status)));
  }
  auto info = proto::read(reply);
  return info ? Result<proto::ServerInfo>(std::move(*info)) : fail(to_error(info.error()));
}

void GrpcTransport::open(const proto::Open& open) {
  stream_.reset();
  const auto dialect = proto::Dialect::of(open);
  if (!dialect) {
    return;  // receive() says that there is no stream; the caller checked its row coding
  }
  stream_ = std::make_unique<GrpcStream>(channel_->stub(), channel_->token(), *dialect, traffic_);
  stream_->send(open);
}

void GrpcTransport::send(const proto::DeviceMessage& message) {
  if (stream_) {
    stream_->send(message);
  }
}

proto::WireResult<std::optional<proto::EdgeMessage>> GrpcTransport::receive(Seconds wait) {
  if (!stream_) {
    return proto::refuse(proto::ErrorKind::kUnexpected, "there is no stream to receive from");
  }
  auto message = stream_->receive(wait);
  if (!message) {
    drop();
  }
  return message;
}

void GrpcTransport::drop() {
  stream_.reset();
  channel_->renew();
}

void GrpcTransport::pause(Seconds time) {
  std::this_thread::sleep_for(std::chrono::duration<double>(time.value()));
}

}  // namespace gelato::device
