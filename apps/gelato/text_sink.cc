#include "gelato/text_sink.h"

#include <fmt/format.h>

#include <utility>

namespace gelato::cli {

std::string mark_origin(std::string_view text, device::Origin origin,
                        const report::Terminal& terminal) {
  switch (origin) {
    case device::Origin::kAccepted:
      return report::paint(text, report::Style::kGood, terminal);
    case device::Origin::kCorrection:
      return terminal.colour ? report::paint(text, report::Style::kBad, terminal)
                             : fmt::format("{{{}}}", text);
    case device::Origin::kBonus:
      return terminal.colour ? report::paint(text, report::Style::kWarn, terminal)
                             : fmt::format("[{}]", text);
    case device::Origin::kDraft:
      return terminal.colour ? report::paint(text, report::Style::kDim, terminal)
                             : fmt::format("<{}>", text);
    case device::Origin::kTarget:
      break;
  }
  return std::string(text);
}

TextSink::TextSink(const engine::LanguageModel& model, std::vector<std::string> stops, Output* out)
    : out_(out),
      stream_(model, std::move(stops),
              [this](std::string_view text, device::Origin origin) { show(text, origin); }) {}

void TextSink::show_origin(const report::Terminal& terminal) {
  marks_ = terminal;
  mark_verified_ = true;
}

void TextSink::show_unverified(const report::Terminal& terminal) { marks_ = terminal; }

// A whole stretch in one pair of brackets, not each token.
void TextSink::bracket_unverified(bool unverified) {
  if (marks_ && !marks_->colour && unverified != in_brackets_) {
    out_->write(unverified ? "<" : ">");
    in_brackets_ = unverified;
  }
}

void TextSink::show(std::string_view text, device::Origin origin) {
  text_ += text;
  if (out_ == nullptr) {
    return;
  }
  const bool unverified = origin == device::Origin::kDraft;
  bracket_unverified(unverified);
  if (marks_ && !in_brackets_ && (mark_verified_ || unverified)) {
    out_->write(mark_origin(text, origin, *marks_));
  } else {
    out_->write(text);
  }
}

void TextSink::finish() {
  stream_.finish();
  if (out_ != nullptr) {
    bracket_unverified(false);
  }
}

bool TextSink::on_commit(std::span<const device::CommittedToken> tokens) {
  for (const device::CommittedToken& token : tokens) {
    tokens_.push_back(token.token);
    if (!stream_.push(token)) {
      return false;
    }
  }
  return (out_ == nullptr || out_->status().has_value()) && !interrupted();
}

}  // namespace gelato::cli
