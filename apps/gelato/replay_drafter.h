// Drafts that were made before: a load generator that replays them takes next to no processor time
// from the edge that it measures.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "gelato/spec/decoding.h"

namespace gelato::cli {

// What was drafted, by prompt and by the length of the committed text after it.
class DraftScript {
 public:
  struct Step {
    spec::Token token = 0;
    spec::RowStats row;
  };
  using Text = std::map<std::size_t, std::vector<Step>>;

  Text& of(std::span<const spec::Token> prompt) { return texts_[{prompt.begin(), prompt.end()}]; }
  // Null for an unknown prompt.
  [[nodiscard]] const Text* find(std::span<const spec::Token> prompt) const;

 private:
  std::map<std::vector<spec::Token>, Text> texts_;
};

// Drafts with `inner` and writes down what it drafts. Both must outlive this.
class RecordingDrafter final : public spec::Drafter {
 public:
  RecordingDrafter(spec::Drafter& inner, DraftScript& script) : inner_(&inner), script_(&script) {}

  Result<void> start(std::span<const spec::Token> prompt) override;
  Result<std::optional<spec::RowStats>> draft_one(spec::Draft& draft, float min_top1) override;
  Result<void> commit(std::uint32_t accepted, spec::Token next) override;

 private:
  spec::Drafter* inner_;
  DraftScript* script_;
  DraftScript::Text* text_ = nullptr;
  std::size_t committed_ = 0;
};

// Drafts what `script`, which must outlive this, has for the place in the text, greedily; where it
// has nothing, nothing, and the target goes on alone.
class ReplayDrafter final : public spec::Drafter {
 public:
  explicit ReplayDrafter(const DraftScript& script) : script_(&script) {}

  Result<void> start(std::span<const spec::Token> prompt) override;
  Result<std::optional<spec::RowStats>> draft_one(spec::Draft& draft, float min_top1) override;
  Result<void> commit(std::uint32_t accepted, spec::Token next) override;

 private:
  const DraftScript* script_;
  const DraftScript::Text* text_ = nullptr;
  std::size_t committed_ = 0;
};

}  // namespace gelato::cli
