// `gelato edge`, or another server, as a child of this process, on a free port of the loopback.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gelato/base/clock.h"
#include "gelato/base/result.h"
#include "gelato/child_process.h"

namespace gelato::cli {

// Ends with its owner: SIGTERM, and after a few seconds SIGKILL.
class EdgeProcess {
 public:
  // Starts `program` (empty: this program) as `edge --listen 127.0.0.1:0` with further `options`,
  // and waits until it serves.
  // Errors: those of Child::start(); kUnavailable with the edge's last line if it ends instead;
  // kDeadlineExceeded; kCancelled.
  static Result<std::unique_ptr<EdgeProcess>> start(const std::string& program,
                                                    const std::vector<std::string>& options,
                                                    const Clock& clock);
  // Starts `command`, a server that says "listening on [http://]HOST:PORT" as `gelato edge` does.
  // Errors: as above.
  static Result<std::unique_ptr<EdgeProcess>> start_server(const std::vector<std::string>& command,
                                                           const Clock& clock);
  ~EdgeProcess();
  EdgeProcess(const EdgeProcess&) = delete;
  EdgeProcess& operator=(const EdgeProcess&) = delete;

  // 127.0.0.1:PORT
  [[nodiscard]] const std::string& endpoint() const { return endpoint_; }
  // Memory in use, MiB; NaN once the process is gone.
  [[nodiscard]] double resident_mib() const;
  // Processor time used so far, all threads, seconds; NaN once the process is gone.
  [[nodiscard]] double cpu_s() const;
  [[nodiscard]] bool running() const { return !child_.ended(0); }

 private:
  EdgeProcess(Child child, Descriptor out, Descriptor err)
      : child_(std::move(child)), out_(std::move(out)), err_(std::move(err)) {}

  Child child_;
  Descriptor out_;
  Descriptor err_;
  std::string endpoint_;
};

}  // namespace gelato::cli
