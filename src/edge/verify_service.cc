#include "verify_service.h"

#include <fmt/format.h>

#include <utility>

#include "gelato/proto/wire.h"
#include "stream.h"

namespace gelato::edge {
namespace {

std::string_view view(grpc::string_ref text) { return {text.data(), text.size()}; }

// "ipv4:10.0.0.7:51234" without the port: all streams of a machine are one client.
std::string machine_of(const std::string& peer) { return peer.substr(0, peer.rfind(':')); }

}  // namespace

VerifyService::VerifyService(proto::ServerInfo info, BatchScheduler& scheduler,
                             Authenticator* authenticator, Metrics& metrics,
                             std::uint32_t max_streams)
    : info_(std::move(info)),
      scheduler_(&scheduler),
      authenticator_(authenticator),
      metrics_(&metrics),
      max_streams_(max_streams) {}

proto::WireResult<std::string> VerifyService::client(const grpc::CallbackServerContext& context) {
  if (authenticator_ != nullptr) {
    const auto header = context.client_metadata().find("authorization");
    return authenticator_->client(header == context.client_metadata().end() ? std::string_view()
                                                                            : view(header->second));
  }
  const auto names = context.auth_context()->FindPropertyValues(GRPC_X509_CN_PROPERTY_NAME);
  if (context.auth_context()->IsPeerAuthenticated() && !names.empty()) {
    return fmt::format("cert:{}", view(names.front()));
  }
  return machine_of(context.peer());
}

grpc::ServerUnaryReactor* VerifyService::GetInfo(grpc::CallbackServerContext* context,
                                                 const v1::InfoRequest* /*request*/,
                                                 v1::InfoReply* reply) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const auto who = client(*context);
  if (who) {
    proto::write(info_, *reply);
    reactor->Finish(grpc::Status::OK);
  } else {
    metrics_->count(who.error().kind);
    reactor->Finish(to_status(who.error()));
  }
  return reactor;
}

grpc::ServerBidiReactor<v1::DeviceMessage, v1::EdgeMessage>* VerifyService::Generate(
    grpc::CallbackServerContext* context) {
  auto who = client(*context);
  auto stream = std::make_shared<Stream>(*scheduler_, *metrics_, streams_);
  std::optional<proto::WireError> refused;
  if (!who) {
    refused = who.error();
  } else if (streams_ > max_streams_) {
    refused = {proto::ErrorKind::kBusy,
               fmt::format("this edge has {} streams open and takes no more", max_streams_),
               Seconds(1.0)};
  }
  if (refused) {
    metrics_->count(refused->kind);
  }
  return Stream::serve(std::move(stream), who ? std::move(*who) : std::string(), refused);
}

}  // namespace gelato::edge
