#include "gelato/load_process.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "gelato/cli.h"
#include "gelato/load_wire.h"

namespace gelato::cli {
namespace {

constexpr Seconds kPatience{180.0};  // longer than a process waits for its devices
constexpr std::size_t kMaxLine = std::size_t{1} << 30U;
constexpr int kSliceMs = 50;

}  // namespace

Result<std::unique_ptr<LoadProcess>> LoadProcess::start(const std::string& draft,
                                                        const Clock& clock) {
  auto in = make_pipe();
  auto out = make_pipe();
  auto err = memory_file("devices-err");
  if (!in || !out || !err) {
    return fail(!in ? in.error() : !out ? out.error() : err.error());
  }
  auto child = Child::start({"/proc/self/exe", "bench", "edge-devices", draft}, out->write.get(),
                            err->get(), in->read.get());
  if (!child) {
    return fail(child.error());
  }
  return std::unique_ptr<LoadProcess>(new LoadProcess(
      std::move(*child), std::move(in->write), std::move(out->read), std::move(*err), clock));
}

Error LoadProcess::why_it_ended() const {
  (void)child_.ended(kSliceMs);  // its last words come before its end
  constexpr std::string_view kPrefix = "gelato: ";
  const std::string said = last_line(content(err_));
  if (said.empty()) {
    return {ErrorCode::kUnavailable, "a process of devices ended without a word"};
  }
  return {ErrorCode::kUnavailable, said.starts_with(kPrefix) ? said.substr(kPrefix.size()) : said};
}

Result<void> LoadProcess::say(std::string_view line) {
  std::string text = fmt::format("{}\n", line);
  for (std::string_view rest = text; !rest.empty();) {
    const ssize_t n = ::write(in_.get(), rest.data(), rest.size());
    if (n < 0 && errno != EINTR) {
      return fail(why_it_ended());
    }
    rest.remove_prefix(n > 0 ? static_cast<std::size_t>(n) : 0);
  }
  return {};
}

Result<std::string> LoadProcess::hear() {
  const Seconds until = clock_->now() + kPatience;
  std::size_t end = heard_.find('\n');
  while (end == std::string::npos) {
    if (interrupted()) {
      return fail(ErrorCode::kCancelled, "interrupted");
    }
    if (clock_->now() > until) {
      return fail(ErrorCode::kDeadlineExceeded,
                  fmt::format("a process of devices says nothing for {:.0f} s", kPatience.value()));
    }
    if (heard_.size() > kMaxLine) {
      return fail(ErrorCode::kLimitExceeded,
                  fmt::format("a process of devices writes more than {} bytes", kMaxLine));
    }
    pollfd wait{.fd = out_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&wait, 1, kSliceMs) <= 0) {
      continue;
    }
    std::array<char, 65536> buffer{};
    const ssize_t n = ::read(out_.get(), buffer.data(), buffer.size());
    if (n == 0 || (n < 0 && errno != EINTR)) {
      return fail(why_it_ended());
    }
    const std::size_t before = heard_.size();
    heard_.append(buffer.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
    end = heard_.find('\n', before);
  }
  std::string line = heard_.substr(0, end);
  heard_.erase(0, end + 1);
  return line;
}

Result<void> LoadProcess::hear(std::string_view line) {
  const auto said = hear();
  if (!said) {
    return fail(said.error());
  }
  return *said == line ? Result<void>{}
                       : fail(ErrorCode::kCorrupt,
                              fmt::format("a process of devices did not say \"{}\"", line));
}

Result<std::unique_ptr<LoadProcesses>> LoadProcesses::start(const LoadPlan& plan,
                                                            std::uint32_t devices_each,
                                                            const std::string& draft,
                                                            const Clock& clock) {
  std::unique_ptr<LoadProcesses> processes(new LoadProcesses(clock));
  LoadPlan part = plan;
  for (std::uint32_t done = 0; done < plan.devices; done += part.devices) {
    part.first = plan.first + done;
    part.devices = std::min(devices_each, plan.devices - done);
    auto process = LoadProcess::start(draft, clock);
    if (!process) {
      return fail(process.error());
    }
    if (auto ok = (*process)->say(to_line(part)); !ok) {
      return fail(ok.error());
    }
    if (auto ok = (*process)->hear(kReady); !ok) {
      return fail(ok.error());
    }
    processes->processes_.push_back(std::move(*process));
  }
  return processes;
}

Result<void> LoadProcesses::say(std::string_view line) {
  for (const auto& process : processes_) {
    if (auto ok = process->say(line); !ok) {
      return ok;
    }
  }
  return {};
}

Result<LoadResult> LoadProcesses::run(Seconds window, const std::function<double()>& edge_cpu_s) {
  if (auto ok = say(kBegin); !ok) {
    return fail(ok.error());
  }
  for (const auto& process : processes_) {
    if (auto ok = process->hear(kUnderWay); !ok) {
      return fail(ok.error());
    }
  }
  LoadResult result;
  const double cpu_before = edge_cpu_s ? edge_cpu_s() : 0.0;
  const Seconds from = clock_->now();
  while (clock_->now() - from < window && !interrupted()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(kSliceMs / 2));
  }
  result.window = clock_->now() - from;
  if (edge_cpu_s) {
    result.edge_cpu_s = edge_cpu_s() - cpu_before;
  }
  if (auto ok = say(kEnd); !ok) {
    return fail(ok.error());
  }
  for (const auto& process : processes_) {
    const auto line = process->hear();
    if (!line) {
      return fail(line.error());
    }
    if (auto ok = add_line(*line, from, result); !ok) {
      return fail(ok.error());
    }
  }
  return result;
}

}  // namespace gelato::cli
