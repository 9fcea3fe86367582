// Receives the tokens of a generation: collects ids and text, and shows the text as it comes.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "gelato/cli.h"
#include "gelato/device/text_stream.h"
#include "gelato/report/terminal.h"

namespace gelato::cli {

// `text` so that its origin shows: accepted draft tokens green, corrections red, bonus tokens
// yellow, unverified ones dim; without colours {correction}, [bonus] and <unverified>.
std::string mark_origin(std::string_view text, device::Origin origin,
                        const report::Terminal& terminal);

// Ends the generation when the user interrupts or the output is closed.
class TextSink final : public device::TokenSink {
 public:
  // `model` and `out` must outlive this. With `out` null nothing is shown.
  TextSink(const engine::LanguageModel& model, std::vector<std::string> stops, Output* out);
  explicit TextSink(const engine::LanguageModel& model) : TextSink(model, {}, nullptr) {}

  // From now on the text is shown with its origins, as `terminal` can.
  void show_origin(const report::Terminal& terminal);
  // The same for what nobody verified alone.
  void show_unverified(const report::Terminal& terminal);

  bool on_commit(std::span<const device::CommittedToken> tokens) override;
  // The generation is over: shows what was held back.
  void finish();

  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] const std::vector<spec::Token>& tokens() const { return tokens_; }
  // Whether a stop string ended the text.
  [[nodiscard]] bool stopped() const { return stream_.stopped(); }

 private:
  void show(std::string_view text, device::Origin origin);
  void bracket_unverified(bool unverified);

  Output* out_;
  std::optional<report::Terminal> marks_;
  bool mark_verified_ = false;
  bool in_brackets_ = false;  // what nobody verified is being shown, without colours
  std::string text_;
  std::vector<spec::Token> tokens_;
  device::TextStream stream_;
};

}  // namespace gelato::cli
