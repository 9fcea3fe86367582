#include "gelato/llama_server_load.h"

#include <fmt/format.h>
#include <httplib.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "gelato/cli.h"

namespace gelato::cli {
namespace {

constexpr Seconds kStart{120.0};  // until every client has its first text
constexpr auto kSlice = std::chrono::milliseconds(20);
constexpr std::string_view kEvent = "data: ";

}  // namespace

// One client; works on its own thread.
class LlamaServerLoad::Client {
 public:
  Client(const LlamaServerPlan& plan, const std::string& endpoint, std::size_t number,
         const std::atomic<bool>& stop)
      : plan_(&plan), http_("http://" + endpoint), number_(number), stop_(&stop) {
    http_.set_tcp_nodelay(true);
    http_.set_read_timeout(static_cast<time_t>(kStart.value()));
  }

  // Texts one after the other. False if one was not to be had.
  bool work() {
    for (std::size_t i = number_; !*stop_; ++i) {
      if (!write_text(plan_->prompts[i % plan_->prompts.size()])) {
        return *stop_;
      }
      under_way = true;
    }
    return true;
  }

  std::atomic<bool> under_way{false};
  std::atomic<std::uint64_t> tokens{0};
  std::string problem;  // why work() failed

 private:
  bool write_text(const std::vector<spec::Token>& prompt) {
    httplib::Request request;
    request.method = "POST";
    request.path = "/completion";
    request.set_header("Content-Type", "application/json");
    request.body = nlohmann::json{
        {"prompt", prompt},
        {"n_predict", plan_->tokens},
        {"temperature", 0.0},
        {"stream",
         true}}.dump();
    line_.clear();
    ended_ = false;
    request.content_receiver = [this](const char* data, std::size_t size, std::uint64_t,
                                      std::uint64_t) {
      take({data, size});
      return !*stop_;
    };
    const auto result = http_.send(request);
    if (result && result->status == 200 && ended_) {
      return true;
    }
    if (*stop_) {
      return false;
    }
    problem = result ? fmt::format("status {}, the text {}", result->status,
                                   ended_ ? "ended" : "broke off")
                     : httplib::to_string(result.error());
    return false;
  }

  // Events come as lines "data: {...}", each with the tokens that are new.
  void take(std::string_view data) {
    for (const char c : data) {
      if (c != '\n') {
        line_ += c;
        continue;
      }
      if (line_.starts_with(kEvent)) {
        const auto event =
            nlohmann::json::parse(line_.begin() + kEvent.size(), line_.end(), nullptr, false);
        if (event.is_object()) {
          tokens += event.contains("tokens") ? event["tokens"].size() : 0;
          ended_ = ended_ || event.value("stop", false);
        }
      }
      line_.clear();
    }
  }

  const LlamaServerPlan* plan_;
  httplib::Client http_;
  std::size_t number_;
  const std::atomic<bool>* stop_;
  std::string line_;
  bool ended_ = false;
};

Result<std::unique_ptr<LlamaServerLoad>> LlamaServerLoad::create(LlamaServerPlan plan,
                                                                 const Clock& clock) {
  std::size_t longest = 0;
  for (const auto& prompt : plan.prompts) {
    longest = std::max(longest, prompt.size());
  }
  const std::size_t cells = (longest + plan.tokens + 1) * plan.clients;
  const std::string threads = std::to_string(plan.threads);
  auto server = EdgeProcess::start_server(
      {plan.program, "--model", plan.model, "--host", "127.0.0.1", "--port", "0", "--parallel",
       std::to_string(plan.clients), "--ctx-size", std::to_string(cells), "--threads", threads,
       "--threads-batch", threads, "--no-ui"},
      clock);
  if (!server) {
    return fail(server.error());
  }
  return std::unique_ptr<LlamaServerLoad>(
      new LlamaServerLoad(std::move(plan), std::move(*server), clock));
}

Result<LlamaServerRate> LlamaServerLoad::run() {
  std::atomic<bool> stop{false};
  std::atomic<std::size_t> failed{0};
  std::vector<std::unique_ptr<Client>> clients;
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < plan_.clients; ++i) {
    clients.push_back(std::make_unique<Client>(plan_, server_->endpoint(), i, stop));
    threads.emplace_back(
        [&failed, client = clients.back().get()] { failed += client->work() ? 0 : 1; });
  }
  const auto wait = [&](Seconds until, auto&& enough) {
    while (!enough() && failed == 0 && !interrupted() && clock_->now() < until) {
      std::this_thread::sleep_for(kSlice);
    }
  };
  const auto started = [&] {
    return std::all_of(clients.begin(), clients.end(),
                       [](const auto& client) { return client->under_way.load(); });
  };
  const auto written = [&] {
    std::uint64_t sum = 0;
    for (const auto& client : clients) {
      sum += client->tokens;
    }
    return static_cast<double>(sum);
  };
  wait(clock_->now() + kStart, started);
  const bool all_started = started();
  const double tokens_before = written();
  const double cpu_before = server_->cpu_s();
  const Seconds from = clock_->now();
  wait(from + plan_.window, [] { return false; });
  const Seconds took = clock_->now() - from;
  const double cpu = server_->cpu_s() - cpu_before;
  const double tokens = written() - tokens_before;
  stop = true;
  for (std::thread& thread : threads) {
    thread.join();
  }
  if (interrupted()) {
    return fail(ErrorCode::kCancelled, "interrupted");
  }
  for (const auto& client : clients) {
    if (failed > 0 && !client->problem.empty()) {
      return fail(ErrorCode::kUnavailable,
                  fmt::format("{} did not answer with a text: {}", plan_.program, client->problem));
    }
  }
  if (!all_started) {
    return fail(ErrorCode::kDeadlineExceeded,
                fmt::format("not every client has a text after {:.0f} s", kStart.value()));
  }
  return LlamaServerRate{.tokens_per_s = tokens / took.value(), .cpu_s_per_token = cpu / tokens};
}

}  // namespace gelato::cli
