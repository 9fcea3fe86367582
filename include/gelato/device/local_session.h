// Target and, if there is one, draft in one process: everything that `gelato run` and the
// benchmarks need to generate, wired together.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gelato/base/clock.h"
#include "gelato/base/result.h"
#include "gelato/control/policy.h"
#include "gelato/device/energy_account.h"
#include "gelato/device/paced_drafter.h"
#include "gelato/device/round_loop.h"
#include "gelato/engine/context.h"
#include "gelato/engine/language_model.h"
#include "gelato/engine/sampler.h"

namespace gelato::device {

struct LocalSessionOptions {
  std::string target_path;
  std::string draft_path;            // empty: the target alone
  std::uint32_t context_tokens = 0;  // 0: the target's own, at most engine::kDefaultContext
  std::uint32_t target_threads = 0;  // 0: engine::default_threads()
  std::uint32_t draft_threads = 0;   // 0: as the target's, or engine::default_threads()
  std::int32_t target_gpu_layers = -1;
  std::int32_t draft_gpu_layers = -1;
  // Called while loading, with the file and the loaded fraction; false cancels.
  std::function<bool(std::string_view path, float fraction)> progress;
};

struct GenerateOptions {
  engine::SamplerParams sampler;
  std::uint64_t seed = 0;
  std::uint64_t max_tokens = 0;     // 0: until the text ends or the context is full
  EnergyAccount* energy = nullptr;  // LoopOptions::energy
  Pacing* pace = nullptr;           // null: drafting takes the time it takes here
};

// Not thread-safe.
class LocalSession {
 public:
  // Loads the models and makes their contexts. `backend` and `clock` must outlive the session.
  // Errors: those of LanguageModel::load(), match_vocabularies() and Context::create();
  // kUnsupported for a recurrent or hybrid model where speculation has to cut its state back.
  static Result<std::unique_ptr<LocalSession>> open(const engine::Backend& backend,
                                                    const Clock& clock,
                                                    const LocalSessionOptions& options);

  // Token ids of a prompt as the target sees it; `chat` wraps it into the target's chat template.
  // Errors: those of LanguageModel::tokenize() and apply_chat_template().
  [[nodiscard]] Result<std::vector<spec::Token>> tokenize(std::string_view prompt, bool chat) const;

  // Generates with the draft under `policy`, or with the target alone if `policy` is null.
  // Errors: kInvalidArgument for a policy without a draft model; those of RoundLoop::run().
  Result<GenerationStats> generate(std::span<const spec::Token> prompt,
                                   const GenerateOptions& options, control::Policy* policy,
                                   TokenSink& sink);

  [[nodiscard]] const engine::LanguageModel& target() const { return *target_; }
  // Null without a draft.
  [[nodiscard]] const engine::LanguageModel* draft() const { return draft_.get(); }
  // A sentence on how the vocabularies differ, empty if they do not.
  [[nodiscard]] const std::string& vocabulary_note() const { return vocabulary_.note; }
  [[nodiscard]] std::uint32_t context_tokens() const { return target_context_->capacity(); }
  [[nodiscard]] std::uint32_t target_threads() const { return target_context_->options().threads; }
  [[nodiscard]] std::uint32_t draft_threads() const {
    return draft_context_ ? draft_context_->options().threads : 0;
  }
  // Time inside llama.cpp's decode since the session was opened, both models together.
  [[nodiscard]] Seconds decode_time() const;

 private:
  explicit LocalSession(const Clock& clock) : clock_(&clock) {}
  Result<void> load_models(const engine::Backend& backend, const LocalSessionOptions& options);
  Result<void> make_contexts(const LocalSessionOptions& options);

  const Clock* clock_;
  std::unique_ptr<engine::LanguageModel> target_;
  std::unique_ptr<engine::LanguageModel> draft_;
  spec::VocabularyMatch vocabulary_;
  std::unique_ptr<engine::Context> target_context_;
  std::unique_ptr<engine::Context> draft_context_;
};

}  // namespace gelato::device
