// What a draft model would have proposed at every position of a text.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "gelato/base/result.h"
#include "gelato/engine/context.h"
#include "gelato/engine/sampler.h"
#include "gelato/sim/draft_trace.h"

namespace gelato::cli {

class ContinuationRecorder {
 public:
  struct Options {
    std::uint32_t depth = 24;                    // drafted tokens at every position
    double top_p = 0.99995;                      // of sim::TraceToken::top_p
    std::uint32_t window = 0;                    // longest text in tokens, prompt included
    std::uint32_t threads = 1;                   //
    spec::Token common = 0;                      // ids from here on are never proposed
    std::vector<spec::Token> end_of_generation;  // ascending
  };
  // `model` must outlive this. Errors: those of Context::create().
  static Result<ContinuationRecorder> create(const engine::LanguageModel& model, Options options);

  // The greedy continuations [position][depth] of `prompt` and `text`, neither of them empty, both
  // together at most the window. `keep_going` is asked before each batch.
  //
  // One pass reads the text and gives the first token at every position. Where that token is the
  // text's own, what follows it is what follows at the next position. Only elsewhere a branch is
  // drafted, many of them in one batch on copies of the cache.
  // Errors: kCancelled; those of Context and row_stats().
  Result<std::vector<sim::TraceToken>> record(std::span<const spec::Token> prompt,
                                              std::span<const spec::Token> text,
                                              const std::function<bool()>& keep_going);

 private:
  // A drafted token and what the trace keeps of its row.
  struct Drafted {
    spec::Token token = 0;
    sim::TraceToken row;
  };
  using Branch = std::vector<Drafted>;  // of one position, its first token included

  ContinuationRecorder(std::unique_ptr<engine::Context> context, Options options)
      : context_(std::move(context)),
        options_(std::move(options)),
        sampler_({.temperature = 1.0, .top_p = options_.top_p}) {}

  Result<std::vector<Branch>> read_text(std::span<const spec::Token> prompt,
                                        std::span<const spec::Token> text,
                                        const std::function<bool()>& keep_going);
  Result<void> grow(std::span<Branch*> branches, std::span<const std::uint32_t> prefixes,
                    const std::function<bool()>& keep_going);
  Result<Drafted> drafted(std::size_t append, std::uint32_t row);
  [[nodiscard]] bool ends_text(spec::Token token) const;
  [[nodiscard]] spec::Token known(spec::Token token) const;

  std::unique_ptr<engine::Context> context_;
  Options options_;
  engine::Sampler sampler_;
  spec::SparseDist top_set_;
};

}  // namespace gelato::cli
