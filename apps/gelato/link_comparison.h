// Policies over an emulated link: an edge and a device as two processes, over loopback and TLS.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "gelato/base/clock.h"
#include "gelato/base/result.h"
#include "gelato/edge_process.h"
#include "gelato/engine/language_model.h"
#include "gelato/report/summary.h"
#include "gelato/report/terminal.h"

namespace gelato::cli {

struct LinkPlan {
  std::string program;  // `gelato`; empty: this program
  std::string target;   // paths of the models
  std::string draft;
  std::string link = "rate=1mbit,delay=20ms";
  // The bundled models stand in for larger ones: drafting takes the time of this device profile,
  // whose joules are shown, and a pass of the edge takes this long. GELATO (arXiv 2605.10124) looks
  // at passes of 60 to 140 ms.
  std::string pace = "phone";
  double edge_pass_s = 0.08;
  std::vector<std::string> prompts;
  std::uint32_t tokens = 32;
  std::uint32_t repetitions = 1;
};

// One policy: rates of every repetition, all prompts together.
struct LinkRow {
  std::string policy;
  std::vector<double> tokens_per_s;
  double tokens = 0.0;  // of all repetitions
  double unverified = 0.0;
  double drafted = 0.0;
  double accepted = 0.0;
  double up_bytes = 0.0;  // on the wire
  double joules = 0.0;    // modelled
  double passes = 0.0;    // of the edge
  std::vector<double> first_token_s;
  std::vector<std::string> texts;  // one per prompt

  // Not the target's text.
  [[nodiscard]] bool by_draft_alone() const { return unverified > 0.0; }
  [[nodiscard]] bool fixed_length() const { return policy.starts_with("static:"); }
  [[nodiscard]] report::Summary speed() const { return report::Summary(tokens_per_s); }
};

// A folder for the certificate, deleted with its content.
class TemporaryFolder;

// How far a run is.
struct LinkStep {
  std::size_t row = 0;
  std::size_t written = 0;  // bytes of its text
  bool ended = false;
};

class LinkComparison {
 public:
  using Watch = std::function<void(const LinkStep&)>;

  // Starts the edge. Errors: those of EdgeProcess::start() and of the certificate; kIo.
  static Result<std::unique_ptr<LinkComparison>> create(LinkPlan plan, const Clock& clock);
  ~LinkComparison();

  // What takes part: streaming from the edge, the draft alone, drafts of two lengths, llama.cpp's
  // p-min, the controller of the GELATO paper and ours.
  static const std::vector<std::string>& policies();
  // `gelato device` once for each prompt, policy and repetition; the policies take turns. `watch`
  // is told as texts grow, and when each has ended.
  // Errors: kInternal with the device's last line if one fails; those of run_process().
  Result<std::vector<LinkRow>> measure(const Watch& watch);

 private:
  LinkComparison(LinkPlan plan, const Clock& clock);
  Result<void> start();
  Result<void> add(LinkRow& row, const std::string& prompt, double& tokens, double& seconds,
                   const std::function<void(std::size_t written)>& watch);

  LinkPlan plan_;
  const Clock* clock_;
  std::unique_ptr<TemporaryFolder> folder_;
  std::unique_ptr<EdgeProcess> edge_;
};

// A line per policy, with a bar for its rate; of the fixed lengths the fastest only.
std::string link_table(const std::vector<LinkRow>& rows, const LinkPlan& plan,
                       const report::Terminal& terminal);
// What the table shows, in a sentence.
std::string explain(const std::vector<LinkRow>& rows);
nlohmann::json to_json(const LinkRow& row);

}  // namespace gelato::cli
