#include "gelato/edge/edge_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <charconv>
#include <chrono>
#include <ctime>
#include <fstream>
#include <iterator>
#include <mutex>
#include <thread>
#include <utility>

#include "gelato/proto/grpc_log.h"
#include "gelato/proto/limits.h"
#include "metrics_server.h"
#include "verify_service.h"

namespace gelato::edge {
namespace {

// A device behind a dead link is noticed after 20 + 10 s; a phone's radio sleeps longer than most
// pings are apart, so devices may ping as seldom as they like and every 5 s at most.
constexpr int kKeepaliveMs = 20'000;
constexpr int kKeepaliveTimeoutMs = 10'000;
constexpr int kMinPingMs = 5'000;
constexpr int kStreamsPerConnection = 64;
constexpr std::size_t kMaxPemBytes = std::size_t{1} << 20U;

Result<std::string> read_pem(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file || text.empty() || text.size() > kMaxPemBytes) {
    return fail(ErrorCode::kNotFound, fmt::format("cannot read the PEM file {}", path));
  }
  return text;
}

Result<std::shared_ptr<grpc::ServerCredentials>> credentials(const ServerOptions& options,
                                                             const std::string& host) {
  if (options.tls_cert.empty() != options.tls_key.empty()) {
    return fail(ErrorCode::kInvalidArgument, "TLS needs both --tls-cert and --tls-key");
  }
  if (options.tls_cert.empty()) {
    if (!options.client_ca.empty()) {
      return fail(ErrorCode::kInvalidArgument, "--client-ca needs --tls-cert and --tls-key");
    }
    if (!is_loopback(host) && !options.insecure) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("{} can be reached from other machines, so the edge asks for TLS; "
                              "give it --tls-cert and --tls-key, or --insecure in a network that "
                              "you trust",
                              host));
    }
    return grpc::InsecureServerCredentials();
  }
  const auto cert = read_pem(options.tls_cert);
  const auto key = read_pem(options.tls_key);
  const auto ca = options.client_ca.empty() ? Result<std::string>("") : read_pem(options.client_ca);
  for (const auto* file : {&cert, &key, &ca}) {
    if (!*file) {
      return fail(file->error());
    }
  }
  grpc::SslServerCredentialsOptions tls(
      options.client_ca.empty() ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                                : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  tls.pem_root_certs = *ca;
  tls.pem_key_cert_pairs.push_back({*key, *cert});
  return grpc::SslServerCredentials(tls);
}

// Health checking and reflection are switched on for all servers of the process.
void enable_plugins() {
  static std::once_flag once;
  std::call_once(once, [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  });
}

void set_limits(grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(static_cast<int>(proto::kMaxDeviceMessageBytes));
  builder.SetMaxSendMessageSize(static_cast<int>(proto::kMaxEdgeMessageBytes));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kMinPingMs);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kStreamsPerConnection);
  // Two edges on one port would each get half of the devices and nobody would be told.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
}

proto::ServerInfo make_info(const ServerOptions& options, const ServedModel& model,
                            const proto::Limits& limits) {
  return {.version = options.version,
          .protocol_oldest = proto::kOldestProtocol,
          .protocol_newest = proto::kProtocol,
          .model = model.card(),
          .limits = limits,
          .modes = {proto::WireMode::kIds, proto::WireMode::kQRow, proto::WireMode::kDssd}};
}

}  // namespace

Result<Address> parse_address(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  Address address;
  if (colon != std::string::npos) {
    address.host = text.substr(0, colon);
    const char* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data() + colon + 1, end, address.port);
    const bool v6 = address.host.find(':') != std::string::npos;
    const bool bracketed =
        address.host.size() > 2 && address.host.front() == '[' && address.host.back() == ']';
    if (error == std::errc() && at == end && !address.host.empty() && v6 == bracketed) {
      if (bracketed) {
        address.host = address.host.substr(1, address.host.size() - 2);
      }
      return address;
    }
  }
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("\"{}\" is not HOST:PORT, such as 127.0.0.1:8470 or [::1]:0", text));
}

bool is_loopback(const std::string& host) {
  in_addr v4{};
  in6_addr v6{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) {
    return ntohl(v4.s_addr) >> 24U == 127;
  }
  return host == "localhost" ||
         (inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6));
}

Result<void> check(const ServerOptions& options) {
  const auto address = parse_address(options.listen);
  if (!address) {
    return fail(address.error());
  }
  if (!options.metrics_listen.empty()) {
    if (auto metrics = parse_address(options.metrics_listen); !metrics) {
      return fail(metrics.error());
    }
  }
  if (auto secured = credentials(options, address->host); !secured) {
    return fail(secured.error());
  }
  return {};
}

// In the order of construction; destruction must be the reverse.
struct EdgeServer::Parts {
  Parts(ServedModel served, Log& log) : grpc_log(log), model(std::move(served)) {}

  proto::GrpcLog grpc_log;
  ServedModel model;
  Metrics metrics;
  std::unique_ptr<Authenticator> authenticator;
  std::unique_ptr<VerifyService> service;
  std::unique_ptr<BatchScheduler> scheduler;  // before the service: streams count themselves there
  std::unique_ptr<grpc::Server> server;
  std::unique_ptr<MetricsServer> metrics_server;
  std::thread model_thread;
  int port = 0;
  std::atomic<bool> healthy{true};
  std::atomic<bool> draining{false};

  Result<void> start(Target& target, const ServerOptions& options, const Clock& clock, Log& log);
  Result<void> listen(const ServerOptions& options);
  // Serving means: started, the model works, and not draining.
  void report_health() {
    const bool serving = healthy && !draining;
    server->GetHealthCheckService()->SetServingStatus(serving);
    server->GetHealthCheckService()->SetServingStatus("gelato.v1.Edge", serving);
  }
};

Result<void> EdgeServer::Parts::start(Target& target, const ServerOptions& options,
                                      const Clock& clock, Log& log) {
  if (auto ok = check(options); !ok) {
    return ok;
  }
  if (!options.token_file.empty()) {
    auto wall = options.wall_clock ? options.wall_clock
                                   : [] { return static_cast<std::int64_t>(std::time(nullptr)); };
    auto made = Authenticator::create(options.token_file, std::move(wall), log);
    if (!made) {
      return fail(made.error());
    }
    authenticator = std::move(*made);
  }
  SchedulerOptions scheduling = options.scheduler;
  scheduling.on_health = [this, &log](bool working) {
    log.error(working ? "event=health model=working" : "event=health model=failing");
    healthy = working;
    report_health();
  };
  auto made = BatchScheduler::create(target, model, scheduling, clock, log, metrics);
  if (!made) {
    return fail(made.error());
  }
  scheduler = std::move(*made);
  service =
      std::make_unique<VerifyService>(make_info(options, model, scheduler->limits()), *scheduler,
                                      authenticator.get(), metrics, options.max_streams);
  if (!options.metrics_listen.empty()) {
    const Address address = *parse_address(options.metrics_listen);
    auto http = MetricsServer::start(address.host, address.port, metrics);
    if (!http) {
      return fail(http.error());
    }
    metrics_server = std::move(*http);
  }
  if (auto ok = listen(options); !ok) {
    return ok;
  }
  model_thread = std::thread([this] { scheduler->run(); });
  return {};
}

// The options have been checked.
Result<void> EdgeServer::Parts::listen(const ServerOptions& options) {
  const auto secured = credentials(options, parse_address(options.listen)->host);
  if (!secured) {
    return fail(secured.error());
  }
  enable_plugins();
  grpc::ServerBuilder builder;
  set_limits(builder);
  builder.AddListeningPort(options.listen, *secured, &port);
  builder.RegisterService(service.get());
  server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    return fail(ErrorCode::kIo,
                fmt::format("cannot listen on {}: the port is in use, the host is not this "
                            "machine's, or the TLS files do not fit each other",
                            options.listen));
  }
  report_health();
  return {};
}

EdgeServer::EdgeServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Result<std::unique_ptr<EdgeServer>> EdgeServer::start(Target& target, ServedModel model,
                                                      const ServerOptions& options,
                                                      const Clock& clock, Log& log) {
  std::unique_ptr<EdgeServer> out(new EdgeServer(std::make_unique<Parts>(std::move(model), log)));
  if (auto ok = out->parts_->start(target, options, clock, log); !ok) {
    return fail(ok.error());
  }
  return out;
}

EdgeServer::~EdgeServer() {
  Parts& p = *parts_;
  if (p.server) {
    p.server->Shutdown(std::chrono::system_clock::now());  // returns when every call is done
  }
  if (p.scheduler) {
    p.scheduler->stop();
  }
  if (p.model_thread.joinable()) {
    p.model_thread.join();
  }
}

std::uint16_t EdgeServer::port() const { return static_cast<std::uint16_t>(parts_->port); }

std::uint16_t EdgeServer::metrics_port() const {
  return parts_->metrics_server ? parts_->metrics_server->port() : std::uint16_t{0};
}

const Metrics& EdgeServer::metrics() const { return parts_->metrics; }

void EdgeServer::drain() {
  parts_->draining = true;
  parts_->report_health();
  parts_->scheduler->drain();
}

bool EdgeServer::drained() const { return parts_->scheduler->drained(); }

}  // namespace gelato::edge
