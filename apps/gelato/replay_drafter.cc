#include "gelato/replay_drafter.h"

namespace gelato::cli {

const DraftScript::Text* DraftScript::find(std::span<const spec::Token> prompt) const {
  const auto found = texts_.find({prompt.begin(), prompt.end()});
  return found == texts_.end() ? nullptr : &found->second;
}

Result<void> RecordingDrafter::start(std::span<const spec::Token> prompt) {
  text_ = &script_->of(prompt);
  committed_ = 0;
  return inner_->start(prompt);
}

Result<std::optional<spec::RowStats>> RecordingDrafter::draft_one(spec::Draft& draft,
                                                                  float min_top1) {
  const std::size_t before = draft.size();
  auto row = inner_->draft_one(draft, min_top1);
  if (row && *row) {
    std::vector<DraftScript::Step>& steps = (*text_)[committed_];
    steps.resize(before);
    steps.push_back({.token = draft.tokens()[before], .row = **row});
  }
  return row;
}

Result<void> RecordingDrafter::commit(std::uint32_t accepted, spec::Token next) {
  committed_ += accepted + std::size_t{1};
  return inner_->commit(accepted, next);
}

Result<void> ReplayDrafter::start(std::span<const spec::Token> prompt) {
  text_ = script_->find(prompt);
  committed_ = 0;
  return {};
}

Result<std::optional<spec::RowStats>> ReplayDrafter::draft_one(spec::Draft& draft, float min_top1) {
  if (text_ == nullptr) {
    return std::nullopt;
  }
  const auto steps = text_->find(committed_);
  if (steps == text_->end() || draft.size() >= steps->second.size()) {
    return std::nullopt;
  }
  const DraftScript::Step& step = steps->second[draft.size()];
  if (step.row.top1_prob < min_top1) {
    return std::nullopt;
  }
  draft.push(step.token);
  return step.row;
}

Result<void> ReplayDrafter::commit(std::uint32_t accepted, spec::Token /*next*/) {
  committed_ += accepted + std::size_t{1};
  return {};
}

}  // namespace gelato::cli
