#include "gelato/engine/language_model.h"

#include <fmt/format.h>
#include <llama.h>

#include <algorithm>
#include <array>
#include <limits>

#include "gelato/base/utf8.h"
#include "gelato/engine/backend.h"
#include "gelato/engine/gguf_check.h"
#include "llama_guard.h"

namespace gelato::engine {
namespace {

std::string metadata(const llama_model* model, const char* key) {
  std::array<char, 256> value{};
  const int n = llama_model_meta_val_str(model, key, value.data(), value.size());
  return n > 0 ? std::string(value.data()) : std::string();
}

std::string describe(const llama_model* model) {
  std::array<char, 256> text{};
  llama_model_desc(model, text.data(), text.size());
  return text.data();
}

ModelInfo read_info(const llama_model* model, const std::string& path) {
  ModelInfo info;
  info.path = path;
  info.architecture = metadata(model, "general.architecture");
  info.description = describe(model);
  info.parameters = llama_model_n_params(model);
  info.size_bytes = llama_model_size(model);
  info.context_length = static_cast<std::uint32_t>(llama_model_n_ctx_train(model));
  info.layers = static_cast<std::uint32_t>(llama_model_n_layer(model));
  info.vocabulary_size = llama_vocab_n_tokens(llama_model_get_vocab(model));
  info.can_truncate = !llama_model_is_recurrent(model) && !llama_model_is_hybrid(model);
  info.has_chat_template = llama_model_chat_template(model, nullptr) != nullptr;
  return info;
}

spec::Vocabulary read_vocabulary(const llama_model* model) {
  const llama_vocab* vocab = llama_model_get_vocab(model);
  spec::Vocabulary out;
  out.type = metadata(model, "tokenizer.ggml.model");
  out.bos = llama_vocab_bos(vocab);
  out.eos = llama_vocab_eos(vocab);
  out.add_bos = llama_vocab_get_add_bos(vocab);
  const spec::Token n = llama_vocab_n_tokens(vocab);
  out.texts.reserve(static_cast<std::size_t>(n));
  for (spec::Token id = 0; id < n; ++id) {
    const char* text = llama_vocab_get_text(vocab, id);
    out.texts.emplace_back(text == nullptr ? "" : text);
    if (llama_vocab_is_eog(vocab, id)) {
      out.end_of_generation.push_back(id);
    }
  }
  return out;
}

Result<void> check_generates_text(const llama_model* model, const std::string& path) {
  if (llama_model_has_encoder(model) || !llama_model_has_decoder(model) ||
      llama_model_is_diffusion(model)) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("{} ({}) does not write text token by token; use a decoder-only "
                            "language model",
                            path, describe(model)));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<LanguageModel>> LanguageModel::load(const Backend& /*backend*/,
                                                           const std::string& path,
                                                           const ModelOptions& options) {
  if (auto ok = check_gguf(path); !ok) {
    return fail(ok.error());
  }
  bool cancelled = false;
  struct Progress {
    const ModelOptions& options;
    bool& cancelled;
  } progress{options, cancelled};

  llama_model_params params = llama_model_default_params();
  params.n_gpu_layers =
      options.gpu_layers < 0 ? std::numeric_limits<std::int32_t>::max() : options.gpu_layers;
  params.progress_callback_user_data = &progress;
  params.progress_callback = [](float fraction, void* user) {
    const auto& p = *static_cast<Progress*>(user);
    const bool go_on = !p.options.progress || p.options.progress(fraction);
    p.cancelled = p.cancelled || !go_on;
    return go_on;
  };

  std::unique_ptr<LanguageModel> out(new LanguageModel());
  auto loaded = guarded(fmt::format("cannot load model {}", path), [&]() -> Result<void> {
    out->model_ = llama_model_load_from_file(path.c_str(), params);
    if (out->model_ == nullptr) {
      return cancelled ? fail(ErrorCode::kCancelled, fmt::format("loading {} was cancelled", path))
                       : fail(ErrorCode::kCorrupt,
                              fmt::format("cannot load model {}: {}", path, first_error()));
    }
    if (auto ok = check_generates_text(out->model_, path); !ok) {
      return ok;
    }
    out->info_ = read_info(out->model_, path);
    out->vocabulary_ = read_vocabulary(out->model_);
    return {};
  });
  if (!loaded) {
    return fail(loaded.error());
  }
  if (!*loaded) {
    return fail(loaded->error());
  }
  return out;
}

LanguageModel::~LanguageModel() {
  if (model_ != nullptr) {
    llama_model_free(model_);
  }
}

Result<std::vector<spec::Token>> LanguageModel::tokenize(std::string_view text, bool add_special,
                                                         bool parse_special) const {
  if (text.size() > kMaxTextBytes) {
    return fail(
        ErrorCode::kLimitExceeded,
        fmt::format("the text has {} bytes; at most {} are accepted", text.size(), kMaxTextBytes));
  }
  if (const std::size_t valid = valid_utf8_prefix(text); valid != text.size()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("the text is not valid UTF-8: bad byte at offset {}", valid));
  }
  auto result = guarded("cannot tokenise the text", [&] {
    const llama_vocab* vocab = llama_model_get_vocab(model_);
    const auto size = static_cast<std::int32_t>(text.size());
    // At most one token a byte, plus BOS and EOS.
    std::vector<spec::Token> tokens(text.size() + 2);
    const std::int32_t n =
        llama_tokenize(vocab, text.data(), size, tokens.data(),
                       static_cast<std::int32_t>(tokens.size()), add_special, parse_special);
    tokens.resize(static_cast<std::size_t>(std::max(n, 0)));
    return tokens;
  });
  if (result && result->empty()) {
    return fail(ErrorCode::kInvalidArgument,
                "the prompt is empty, and this model has no token to begin a text with");
  }
  return result;
}

void LanguageModel::append_piece(spec::Token token, std::string& out) const {
  if (token < 0 || token >= info_.vocabulary_size) {
    return;
  }
  const llama_vocab* vocab = llama_model_get_vocab(model_);
  std::array<char, 128> piece{};
  const std::int32_t n = llama_token_to_piece(vocab, token, piece.data(),
                                              static_cast<std::int32_t>(piece.size()), 0, false);
  if (n >= 0) {
    out.append(piece.data(), static_cast<std::size_t>(n));
    return;
  }
  const std::size_t old = out.size();
  out.resize(old + static_cast<std::size_t>(-n));
  llama_token_to_piece(vocab, token, out.data() + old, -n, 0, false);
}

bool LanguageModel::is_end_of_generation(spec::Token token) const {
  return std::binary_search(vocabulary_.end_of_generation.begin(),
                            vocabulary_.end_of_generation.end(), token);
}

Result<std::string> LanguageModel::apply_chat_template(std::string_view user_text) const {
  const ChatMessage message{.role = "user", .content = std::string(user_text)};
  return apply_chat_template(std::span(&message, 1));
}

Result<std::string> LanguageModel::apply_chat_template(
    std::span<const ChatMessage> messages) const {
  const char* chat_template = llama_model_chat_template(model_, nullptr);
  if (chat_template == nullptr) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("{} has no chat template; leave --chat out", info_.path));
  }
  std::vector<llama_chat_message> turns;
  std::size_t size = 1024;
  for (const ChatMessage& message : messages) {
    turns.push_back({message.role.c_str(), message.content.c_str()});
    size += message.content.size();
  }
  std::string out(size, '\0');
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto n = guarded("cannot apply the chat template", [&] {
      return llama_chat_apply_template(chat_template, turns.data(), turns.size(), true, out.data(),
                                       static_cast<std::int32_t>(out.size()));
    });
    if (!n || *n < 0) {
      break;
    }
    const bool fits = static_cast<std::size_t>(*n) <= out.size();
    out.resize(static_cast<std::size_t>(*n));
    if (fits) {
      return out;
    }
  }
  return fail(ErrorCode::kUnsupported,
              fmt::format("the chat template of {} is not one that llama.cpp's C API can apply; "
                          "write the template into the prompt and leave --chat out",
                          info_.path));
}

void Detokenizer::push(spec::Token token, std::string& out) {
  model_->append_piece(token, pending_);
  while (!pending_.empty()) {
    const std::size_t valid = valid_utf8_prefix(pending_);
    out.append(pending_, 0, valid);
    pending_.erase(0, valid);
    if (pending_.empty() || is_incomplete_utf8(pending_)) {
      return;
    }
    out += replace_invalid_utf8(std::string_view(pending_).substr(0, 1));
    pending_.erase(0, 1);
  }
}

void Detokenizer::finish(std::string& out) {
  out += replace_invalid_utf8(pending_);
  pending_.clear();
}

}  // namespace gelato::engine
