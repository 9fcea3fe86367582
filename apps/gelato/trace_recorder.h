// Records a draft trace from two models, prompt by prompt.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "gelato/base/result.h"
#include "gelato/continuation_recorder.h"
#include "gelato/greedy_writer.h"
#include "gelato/sim/draft_trace.h"

namespace gelato::cli {

struct TracePromptTokens {
  std::string id;
  std::string set;
  std::vector<spec::Token> tokens;  // not empty
};

struct TraceRecorderOptions {
  std::uint32_t depth = 24;
  double top_p = 0.99995;
  std::uint32_t predict = 128;       // most positions of a prompt
  std::uint32_t context_tokens = 0;  // of the target
  std::uint32_t target_threads = 1;  //
  std::uint32_t draft_threads = 1;   //
  spec::Token common = 0;            // ids from here on are never proposed
};

class TraceRecorder {
 public:
  // The models must outlive the recorder.
  // Errors: kInvalidArgument for a prompt that leaves no room for a position; those of
  // Context::create().
  static Result<TraceRecorder> create(const engine::LanguageModel& target,
                                      const engine::LanguageModel& draft,
                                      std::vector<TracePromptTokens> prompts,
                                      const TraceRecorderOptions& options);

  [[nodiscard]] std::size_t prompts() const { return prompts_.size(); }
  // Most positions that prompt number `i` can have: what is wanted, and what both contexts hold.
  [[nodiscard]] std::uint32_t limit(std::size_t i) const { return limits_[i]; }

  // Whether `trace` holds the first of these prompts, so that the rest can be added to it.
  // Errors: kInvalidArgument.
  [[nodiscard]] Result<void> check_begun(const sim::DraftTrace& trace) const;

  // Adds the next few prompts to `trace`, which holds those before them. On an error `trace` has
  // not changed. `keep_going` is asked before each batch.
  // Errors: kCancelled when it says no; those of the models.
  Result<void> add_next(sim::DraftTrace& trace, const std::function<bool()>& keep_going);

 private:
  TraceRecorder(GreedyWriter writer, ContinuationRecorder continuations)
      : writer_(std::move(writer)), continuations_(std::move(continuations)) {}

  GreedyWriter writer_;
  ContinuationRecorder continuations_;
  std::vector<TracePromptTokens> prompts_;
  std::vector<std::uint32_t> limits_;
};

}  // namespace gelato::cli
