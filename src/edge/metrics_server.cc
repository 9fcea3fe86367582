#include "metrics_server.h"

#include <fmt/format.h>
#include <httplib.h>

#include <atomic>
#include <thread>

namespace gelato::edge {

struct MetricsServer::Parts {
  httplib::Server http;
  std::atomic<bool> over{false};
  std::thread thread;
};

MetricsServer::MetricsServer() : parts_(std::make_unique<Parts>()) {}

Result<std::unique_ptr<MetricsServer>> MetricsServer::start(const std::string& host,
                                                            std::uint16_t port,
                                                            const Metrics& metrics) {
  std::unique_ptr<MetricsServer> out(new MetricsServer());
  httplib::Server& http = out->parts_->http;
  http.new_task_queue = [] { return new httplib::ThreadPool(2); };
  http.set_payload_max_length(1024);
  http.set_read_timeout(5);
  http.set_keep_alive_max_count(1);  // a scraper that stays connected would hold one of two threads
  http.Get("/metrics", [&metrics](const httplib::Request&, httplib::Response& response) {
    response.set_content(render(metrics), "text/plain; version=0.0.4");
  });
  // The library's own choice lets a second edge take the same port and a part of the requests.
  http.set_socket_options([](socket_t socket) {
    const int yes = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  });
  const int bound = port == 0                       ? http.bind_to_any_port(host)
                    : http.bind_to_port(host, port) ? int{port}
                                                    : -1;
  if (bound <= 0) {
    return fail(ErrorCode::kIo,
                fmt::format("cannot listen on {}:{} for metrics; is the port in use?", host, port));
  }
  out->port_ = static_cast<std::uint16_t>(bound);
  out->parts_->thread = std::thread([parts = out->parts_.get()] {
    parts->http.listen_after_bind();
    parts->over = true;
  });
  return out;
}

MetricsServer::~MetricsServer() {
  if (parts_->thread.joinable()) {
    // stop() is overlooked until the listening loop has begun.
    while (!parts_->http.is_running() && !parts_->over) {
      std::this_thread::yield();
    }
    parts_->http.stop();
    parts_->thread.join();
  }
}

}  // namespace gelato::edge
