#include "gelato/edge_process.h"

#include <fmt/format.h>

#include <csignal>
#include <ctime>
#include <fstream>
#include <limits>

#include "gelato/cli.h"

namespace gelato::cli {
namespace {

constexpr Seconds kPatience{60.0};  // a large model takes a while to load
constexpr int kSliceMs = 20;
constexpr int kGraceMs = 5000;

// HOST:PORT of a line "... listening on [http://]HOST:PORT\n"; empty if that is not there yet.
std::string listening_on(const std::string& text) {
  constexpr std::string_view kMark = "listening on ";
  constexpr std::string_view kScheme = "http://";
  const std::size_t at = text.find(kMark);
  const std::size_t end = at == std::string::npos ? at : text.find('\n', at);
  if (end == std::string::npos) {
    return {};
  }
  const std::string where = text.substr(at + kMark.size(), end - at - kMark.size());
  return where.starts_with(kScheme) ? where.substr(kScheme.size()) : where;
}

}  // namespace

Result<std::unique_ptr<EdgeProcess>> EdgeProcess::start(const std::string& program,
                                                        const std::vector<std::string>& options,
                                                        const Clock& clock) {
  std::vector<std::string> command = {program.empty() ? "/proc/self/exe" : program, "edge",
                                      "--listen", "127.0.0.1:0"};
  command.insert(command.end(), options.begin(), options.end());
  return start_server(command, clock);
}

Result<std::unique_ptr<EdgeProcess>> EdgeProcess::start_server(
    const std::vector<std::string>& command, const Clock& clock) {
  auto out = memory_file("edge-out");
  auto err = memory_file("edge-err");
  if (!out || !err) {
    return fail(out ? err.error() : out.error());
  }
  auto child = Child::start(command, out->get(), err->get());
  if (!child) {
    return fail(child.error());
  }
  std::unique_ptr<EdgeProcess> edge(
      new EdgeProcess(std::move(*child), std::move(*out), std::move(*err)));
  const Seconds until = clock.now() + kPatience;
  while (edge->endpoint_.empty()) {
    const bool ended = edge->child_.ended(kSliceMs);
    edge->endpoint_ = listening_on(content(edge->out_) + content(edge->err_));
    if (ended) {
      return fail(ErrorCode::kUnavailable,
                  fmt::format("the server ended: {}", last_line(content(edge->err_))));
    }
    if (interrupted()) {
      return fail(ErrorCode::kCancelled, "interrupted while the server was starting");
    }
    if (clock.now() > until) {
      return fail(ErrorCode::kDeadlineExceeded,
                  fmt::format("the server is not ready after {:.0f} s", kPatience.value()));
    }
  }
  return edge;
}

EdgeProcess::~EdgeProcess() {
  child_.signal(SIGTERM);
  (void)child_.ended(kGraceMs);
}

double EdgeProcess::cpu_s() const {
  clockid_t clock{};
  timespec time{};
  if (::clock_getcpuclockid(child_.pid(), &clock) != 0 || ::clock_gettime(clock, &time) != 0) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double EdgeProcess::resident_mib() const {
  std::ifstream status(fmt::format("/proc/{}/status", child_.pid()));
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) {
      return std::stod(line.substr(6)) / 1024.0;
    }
  }
  return std::numeric_limits<double>::quiet_NaN();
}

}  // namespace gelato::cli
