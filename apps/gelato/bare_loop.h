// What the target alone can do: a loop around llama.cpp's decode with the batches of a measured
// load, and nothing else.
#pragma once

#include <memory>

#include "gelato/base/clock.h"
#include "gelato/engine/context.h"
#include "gelato/load_result.h"

namespace gelato::cli {

struct BareRate {
  double tokens_per_s = 0.0;
  double tokens_per_cpu_s = 0.0;  // by this process's processor time
};

class BareLoop {
 public:
  // A context as `gelato edge` makes it for `sessions`. `model` and `clock` must outlive the loop.
  // Errors: those of Context::create() and Context::decode().
  static Result<std::unique_ptr<BareLoop>> create(const engine::LanguageModel& model,
                                                  std::uint32_t sessions,
                                                  std::uint32_t batch_tokens, const Clock& clock);

  // Plays the rounds of `load` for `window`: passes over as many sessions at a time as its passes
  // had, each round as many tokens and rows as it had, each sequence cut back to what was accepted.
  // With `full`, every pass takes every session. Sequences are as long as `prompt` and a part of
  // `text` tokens, evenly spread over the sessions, as texts under way are. One that has grown by
  // all of `text` starts again by reading `prompt` in a pass of its own, as a new session's prompt
  // is read. Which tokens they are makes no difference to the time. Errors: those of Context.
  Result<BareRate> play(const LoadResult& load, std::uint32_t prompt, std::uint32_t text,
                        Seconds window, bool full);

 private:
  BareLoop(std::unique_ptr<engine::Context> context, const Clock& clock)
      : context_(std::move(context)), clock_(&clock) {}

  std::unique_ptr<engine::Context> context_;
  const Clock* clock_;
};

}  // namespace gelato::cli
