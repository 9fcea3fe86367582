// From committed tokens to the text a user sees, as it comes: whole characters, stop strings cut
// off, each piece with its origin.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "gelato/device/round_loop.h"
#include "gelato/engine/language_model.h"

namespace gelato::device {

class TextStream {
 public:
  // Receives pieces of text in order.
  using Emit = std::function<void(std::string_view text, Origin origin)>;

  // `model` must outlive this. Empty stop strings are ignored.
  TextStream(const engine::LanguageModel& model, std::vector<std::string> stops, Emit emit);

  // Adds one token. False once a stop string is complete: the text before it has been emitted, the
  // string itself and everything after it is dropped.
  bool push(const CommittedToken& token);
  // The text is over: emits what was held back because it might have become a stop string or a
  // whole character.
  void finish();

  [[nodiscard]] bool stopped() const { return stopped_; }

 private:
  struct Piece {
    std::size_t size;
    Origin origin;
  };
  void emit(std::size_t bytes);
  [[nodiscard]] std::size_t held_back() const;

  engine::Detokenizer detokenizer_;
  std::vector<std::string> stops_;
  Emit emit_;
  std::string held_;           // decoded, not yet emitted
  std::vector<Piece> pieces_;  // origins of held_, in order
  Origin last_ = Origin::kTarget;
  bool stopped_ = false;
};

}  // namespace gelato::device
