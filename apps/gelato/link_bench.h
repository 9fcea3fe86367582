// The measurement of `gelato bench link`: every policy live over an emulated link, and what the
// simulator predicts of the same scenario.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gelato/base/clock.h"
#include "gelato/base/log.h"
#include "gelato/control/policy.h"
#include "gelato/edge_process.h"
#include "gelato/energy/device_profile.h"
#include "gelato/engine/backend.h"
#include "gelato/link_options.h"
#include "gelato/link_prediction.h"
#include "gelato/live_device.h"
#include "gelato/report/summary.h"
#include "gelato/result_output.h"
#include "gelato/text_match.h"

namespace gelato::cli {

struct LinkBenchFlags {
  std::string target;  // empty: the bundled models
  std::string draft;
  LinkFlags link{.link = "rate=1mbit,delay=20ms"};
  std::string pace = "phone";
  std::uint32_t devices = 1;  // that write at the same time
  double edge_pass_s = 0.04;
  double edge_token_s = 0.0;
  std::vector<std::string> policies;
  std::vector<std::string> prompts;
  std::uint32_t tokens = 64;
  std::uint32_t repetitions = 5;
  ResultFlags output;
};

// What takes part if nobody says: every policy that writes the target's text, and the draft alone.
std::vector<std::string> default_link_policies();

struct LinkBenchRow {
  std::string policy;
  std::vector<RoundTotals> repetitions;  // all prompts and devices added up
  RoundTotals simulated;
  std::uint64_t unverified = 0;  // not the target's text
  Agreement agreement = Agreement::kIdentical;

  [[nodiscard]] RoundTotals total() const;
  [[nodiscard]] report::Summary over(double (RoundTotals::*quantity)() const) const;
  // Live over simulated, repetition by repetition.
  [[nodiscard]] report::Summary ratio(double (RoundTotals::*quantity)() const) const;
};

struct LinkBenchOutcome {
  std::vector<LinkBenchRow> rows;
  EdgeProbe edge;
  std::string profile;
  std::uint64_t late = 0;  // draft tokens that took longer here than on the profile's device

  // The largest |median ratio - 1| of all rows.
  [[nodiscard]] double max_error(double (RoundTotals::*quantity)() const) const;
};

class LinkBench {
 public:
  // Starts the edge, loads the models, records the trace of the prompts and probes the edge.
  // `flags.target` and `flags.draft` are paths. `backend`, `clock` and `log` must outlive this.
  // Errors: those of EdgeProcess::start(), LanguageModel::load(), TraceRecorder, open_profile(),
  // LinkFlags::read() and probe_edge().
  static Result<std::unique_ptr<LinkBench>> create(LinkBenchFlags flags,
                                                   const engine::Backend& backend,
                                                   const Clock& clock, Log& log);

  // Calls of `step` in run().
  [[nodiscard]] std::uint64_t steps() const;
  // In every repetition, prompt by prompt, all policies take turns, each with all its devices at
  // once; then the simulations. Every text is compared with the target's.
  // Errors: those of LiveDevice and LinkPrediction; kInternal for a text that is not the target's.
  Result<LinkBenchOutcome> run(const std::function<void()>& step);

 private:
  // What device and policy learn they keep from text to text.
  struct Seat {
    std::unique_ptr<LiveDevice> device;
    std::unique_ptr<control::Policy> policy;
  };

  LinkBench(LinkBenchFlags flags, const engine::Backend& backend, const Clock& clock, Log& log);
  Result<void> start_edge();
  Result<void> record_trace();
  Result<void> make_devices();
  Result<Seat> make_seat(const std::string& policy, std::uint32_t number);
  // All devices of the row, at the same time.
  Result<std::vector<LiveText>> write(std::vector<Seat>& row, std::size_t prompt);
  Result<void> read_prompt(std::vector<Seat>& row, std::size_t prompt);
  Result<void> measure(std::size_t prompt, LinkBenchOutcome& outcome);
  Result<Agreement> compare(std::size_t prompt, const std::vector<spec::Token>& text) const;
  [[nodiscard]] device::EdgeAddress address() const;

  LinkBenchFlags flags_;
  const engine::Backend* backend_;
  const Clock* clock_;
  Log* log_;
  std::unique_ptr<EdgeProcess> edge_;
  std::unique_ptr<engine::LanguageModel> target_;
  std::unique_ptr<engine::LanguageModel> draft_;
  std::vector<std::vector<spec::Token>> prompts_;
  LinkPrediction prediction_;
  std::vector<std::vector<Seat>> seats_;  // by row
};

}  // namespace gelato::cli
