// Where in the trace a device is.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "gelato/sim/draft_trace.h"

namespace gelato::sim {

// Walks over the texts of some prompts, again and again. At least one prompt, none without
// positions; the trace outlives the cursor.
class TextCursor {
 public:
  TextCursor(const DraftTrace& trace, std::vector<std::uint32_t> prompts, std::size_t first)
      : trace_(&trace), prompts_(std::move(prompts)), prompt_(first % prompts_.size()) {
    open();
  }

  // Committed tokens so far, prompt included: L.
  [[nodiscard]] std::uint32_t context() const { return prompt_tokens_ + done_; }
  // Tokens until the text ends.
  [[nodiscard]] std::uint32_t left() const { return positions_ - done_; }
  // The target ends the text itself; else a limit does.
  [[nodiscard]] bool ends_itself() const { return ended_; }
  // Longest useful draft here: one token less than may still be committed.
  [[nodiscard]] std::uint32_t room() const {
    return ended_ ? std::numeric_limits<std::uint32_t>::max() : left() - 1;
  }
  // Row `depth` of the draft model's continuation `ahead` tokens further on.
  // Preconditions: ahead < left(), depth < trace depth.
  [[nodiscard]] const TraceToken& row(std::uint32_t ahead, std::uint32_t depth) const {
    return trace_->tokens[(place_ + ahead) * trace_->depth + depth];
  }

  // Begins `tokens` further on in the text, not at its end.
  void skip(std::uint32_t tokens) { advance(std::min(tokens, left() - 1)); }

  // Loads the first rows of the position `ahead` tokens further on. Positions are too far apart for
  // the processor to foresee the next one, and waiting for it takes a third of a round.
  void prefetch(std::uint32_t ahead) const {
    if (ahead < left()) {
      __builtin_prefetch(&row(ahead, 0));
      __builtin_prefetch(&row(ahead, std::min(kLineTokens, trace_->depth - 1)));
    }
  }

  // Whether the target would accept the first drafted token `ahead` tokens further on. Along its
  // own text a draft is accepted as far as this holds from place to place.
  [[nodiscard]] bool agrees(std::uint32_t ahead) const { return row(ahead, 0).match != 0; }
  // Tokens that a draft in one message can have.
  [[nodiscard]] std::uint32_t depth() const { return trace_->depth; }

  void advance(std::uint32_t tokens) {
    done_ += tokens;
    place_ += tokens;
    if (done_ >= positions_) {
      prompt_ = prompt_ + 1 < prompts_.size() ? prompt_ + 1 : 0;
      open();
    }
  }

 private:
  static constexpr std::uint32_t kLineTokens = 64 / sizeof(TraceToken);

  void open() {
    const TracePrompt& prompt = trace_->prompts[prompts_[prompt_]];
    prompt_tokens_ = prompt.prompt_tokens;
    positions_ = prompt.positions;
    ended_ = prompt.ended;
    place_ = prompt.first;
    done_ = 0;
  }

  const DraftTrace* trace_;
  std::vector<std::uint32_t> prompts_;
  std::size_t prompt_;
  std::size_t place_ = 0;
  std::uint32_t prompt_tokens_ = 0;
  std::uint32_t positions_ = 0;
  std::uint32_t done_ = 0;
  bool ended_ = false;
};

}  // namespace gelato::sim
