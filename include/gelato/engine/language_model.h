// A GGUF model in memory: weights, tokenizer, metadata. Contexts that compute with it are in
// context.h.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gelato/base/result.h"
#include "gelato/spec/vocabulary.h"

struct llama_model;

namespace gelato::engine {

class Backend;

struct ModelOptions {
  // Layers to place on a GPU; negative: all that fit. Without a GPU it has no effect.
  std::int32_t gpu_layers = -1;
  // Called with the loaded fraction 0..1; returning false cancels the load (kCancelled).
  std::function<bool(float)> progress;
};

struct ModelInfo {
  std::string path;
  std::string architecture;
  std::string description;  // e.g. "llama 7B Q8_0"
  std::uint64_t parameters = 0;
  std::uint64_t size_bytes = 0;  // of the weights
  std::uint32_t context_length = 0;
  std::uint32_t layers = 0;
  spec::Token vocabulary_size = 0;
  // False for recurrent and hybrid models: their state cannot be cut back to an earlier length, as
  // every rejected draft token requires of the target (and of the draft).
  bool can_truncate = true;
  bool has_chat_template = false;
};

// One turn of a conversation.
struct ChatMessage {
  std::string role;  // "system", "user", "assistant"
  std::string content;
};

// Longest text that tokenize() accepts.
inline constexpr std::size_t kMaxTextBytes = std::size_t{16} << 20U;

// Immutable once loaded; every member is safe from several threads.
class LanguageModel {
 public:
  // Loads the GGUF file at `path`. The file is checked before llama.cpp sees it (gguf_check.h).
  // `backend` must outlive the model.
  // Errors: those of check_gguf(); kUnsupported for a model that does not generate text token by
  // token; kLimitExceeded without enough memory; kCancelled by the progress callback; kInternal
  // with llama.cpp's own words for what only it noticed.
  static Result<std::unique_ptr<LanguageModel>> load(const Backend& backend,
                                                     const std::string& path,
                                                     const ModelOptions& options = {});
  ~LanguageModel();
  LanguageModel(const LanguageModel&) = delete;
  LanguageModel& operator=(const LanguageModel&) = delete;

  [[nodiscard]] const ModelInfo& info() const { return info_; }
  // Plain data for match_vocabularies(); built at load.
  [[nodiscard]] const spec::Vocabulary& vocabulary() const { return vocabulary_; }

  // Token ids of `text`, which must be valid UTF-8. `add_special` adds what the model wants at the
  // beginning (BOS); `parse_special` reads control tokens written out in the text as such.
  // Errors: kInvalidArgument with the offset of the first bad byte; kLimitExceeded above
  // kMaxTextBytes; kInvalidArgument if nothing is left to begin with (no text and no BOS).
  [[nodiscard]] Result<std::vector<spec::Token>> tokenize(std::string_view text, bool add_special,
                                                          bool parse_special) const;

  // Bytes of one token; not necessarily whole characters (Detokenizer sees to that). Control tokens
  // give nothing. Ids outside the vocabulary give nothing. Appends to `out`.
  void append_piece(spec::Token token, std::string& out) const;

  // Whether the model ends its text with this token.
  [[nodiscard]] bool is_end_of_generation(spec::Token token) const;

  // The conversation in the model's chat template, ready for the assistant to write.
  // Errors: kUnsupported if the model has no template or one that llama.cpp's C API cannot apply.
  [[nodiscard]] Result<std::string> apply_chat_template(
      std::span<const ChatMessage> messages) const;
  // The same with one user turn.
  [[nodiscard]] Result<std::string> apply_chat_template(std::string_view user_text) const;

  // For the engine's own files.
  [[nodiscard]] llama_model* handle() const { return model_; }

 private:
  LanguageModel() = default;

  llama_model* model_ = nullptr;
  ModelInfo info_;
  spec::Vocabulary vocabulary_;
};

// Turns tokens into text as they come, giving out whole characters only.
class Detokenizer {
 public:
  // `model` must outlive this.
  explicit Detokenizer(const LanguageModel& model) : model_(&model) {}

  // Appends to `out` the text that `token` completes. Bytes that can never become a character come
  // out as U+FFFD.
  void push(spec::Token token, std::string& out);
  // The text is over: appends what is held back, as U+FFFD.
  void finish(std::string& out);

 private:
  const LanguageModel* model_;
  std::string pending_;  // at most one unfinished character between calls
};

}  // namespace gelato::engine
