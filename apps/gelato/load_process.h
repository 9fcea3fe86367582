// The devices of `gelato bench edge`: real client code in processes of a few devices each.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gelato/base/clock.h"
#include "gelato/base/result.h"
#include "gelato/child_process.h"
#include "gelato/edge_load.h"

namespace gelato::cli {

// `gelato bench edge-devices` as a child of this process. It is killed with its owner.
class LoadProcess {
 public:
  // `clock` must outlive the process. Errors: those of Child::start(); kIo.
  static Result<std::unique_ptr<LoadProcess>> start(const std::string& draft, const Clock& clock);

  // Errors: kUnavailable with what the process said last, if it has ended.
  Result<void> say(std::string_view line);
  // The next line that it writes. Errors: as above; kDeadlineExceeded, kCancelled, kLimitExceeded.
  Result<std::string> hear();
  // The same, if it is `line`. Errors: also kCorrupt.
  Result<void> hear(std::string_view line);

 private:
  LoadProcess(Child child, Descriptor in, Descriptor out, Descriptor err, const Clock& clock)
      : child_(std::move(child)),
        in_(std::move(in)),
        out_(std::move(out)),
        err_(std::move(err)),
        clock_(&clock) {}
  [[nodiscard]] Error why_it_ended() const;

  Child child_;
  Descriptor in_;   // its standard input
  Descriptor out_;  // its standard output
  Descriptor err_;  // what it wrote on standard error
  const Clock* clock_;
  std::string heard_;  // and not yet taken
};

class LoadProcesses {
 public:
  // As many processes as `plan.devices` need with up to `devices_each` of them; `draft` is the path
  // of the draft model. Each is ready before the next is started, so that none learns its drafts
  // while others are at it. Errors: those of EdgeLoad::create() in the processes, as kUnavailable.
  static Result<std::unique_ptr<LoadProcesses>> start(const LoadPlan& plan,
                                                      std::uint32_t devices_each,
                                                      const std::string& draft, const Clock& clock);

  // All devices write texts, one after the other. The window begins once each has written one.
  // `edge_cpu_s`: processor time that the edge has used so far; empty where that cannot be known.
  // Errors: the first that a process had; kCancelled.
  Result<LoadResult> run(Seconds window, const std::function<double()>& edge_cpu_s);

  [[nodiscard]] std::size_t size() const { return processes_.size(); }

 private:
  explicit LoadProcesses(const Clock& clock) : clock_(&clock) {}
  Result<void> say(std::string_view line);

  const Clock* clock_;
  std::vector<std::unique_ptr<LoadProcess>> processes_;
};

}  // namespace gelato::cli
