// The target's own greedy texts, several at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "gelato/base/result.h"
#include "gelato/engine/context.h"

namespace gelato::cli {

struct GreedyText {
  std::vector<spec::Token> tokens;  // an end token included
  bool ended = false;               // by the model; else it was cut
};

class GreedyWriter {
 public:
  // Room for `texts` texts of `window` tokens each, prompts included. `model` must outlive this.
  // Errors: those of Context::create().
  static Result<GreedyWriter> create(const engine::LanguageModel& model, std::uint32_t texts,
                                     std::uint32_t window, std::uint32_t threads);

  struct Task {
    std::span<const spec::Token> prompt;  // not empty
    std::uint32_t limit = 1;              // most tokens to write, >= 1
  };
  // Writes after every prompt, one token of each text per batch. At most as many tasks as there is
  // room for. `keep_going` is asked before each batch.
  // Errors: kCancelled; those of Context::decode().
  Result<std::vector<GreedyText>> write(std::span<const Task> tasks,
                                        const std::function<bool()>& keep_going);

 private:
  explicit GreedyWriter(std::unique_ptr<engine::Context> context) : context_(std::move(context)) {}
  // Takes row `row` of append `append` as the next token of `text`; false if that was its last.
  Result<bool> extend(GreedyText& text, std::uint32_t limit, std::size_t append);

  std::unique_ptr<engine::Context> context_;
};

}  // namespace gelato::cli
