// Whatever a model file holds: it is refused with one sentence, or it loads, and one token is
// computed with it. Never a crash inside llama.cpp, whose libraries trust what they read.
//
// An input is a tiny model of one of the kinds below and a list of edits: to its bytes, and keys
// that it does not have. An input that begins with "GGUF" is the file itself.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gelato/base/log.h"
#include "gelato/base/utf8.h"
#include "gelato/engine/backend.h"
#include "gelato/engine/context.h"
#include "gelato/engine/gguf_check.h"
#include "gelato/engine/language_model.h"
#include "tests/support/tiny_gguf.h"

namespace {

using gelato::engine::Backend;
using gelato::engine::Context;
using gelato::engine::LanguageModel;
using gelato::testing::TinyGguf;
using gelato::testing::TinyGgufFile;
using gelato::testing::TinyKind;
using gelato::testing::TinyWeights;

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

struct Seed {
  std::string architecture;
  std::string bytes;
  std::vector<std::size_t> names;  // where the name of a key or of a tensor ends
};

// Names of keys and tensors are the strings with a point; tokens of a tiny model have none.
std::vector<std::size_t> ends_of_names(std::string_view bytes) {
  std::vector<std::size_t> ends;
  for (std::size_t at = 0; at + 8 < bytes.size(); ++at) {
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data() + at, sizeof length);
    if (length < 3 || length > 64 || length > bytes.size() - at - 8) {
      continue;
    }
    const std::string_view name = bytes.substr(at + 8, length);
    if (name.find('.') != std::string_view::npos &&
        std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < '\x7f'; })) {
      ends.push_back(at + 8 + length);
    }
  }
  return ends;
}

std::vector<Seed> make_seeds() {
  const TinyGguf smallest{.vocab_size = 260, .n_layer = 1, .n_embd = 4, .n_head = 1, .n_ff = 4};
  TinyGguf recurrent = smallest;
  recurrent.kind = TinyKind::kRecurrent;
  TinyGguf hybrid = smallest;
  hybrid.kind = TinyKind::kHybrid;
  hybrid.n_layer = 2;
  TinyGguf quantised = smallest;
  quantised.weights = TinyWeights::kQ8;
  quantised.n_embd = 32;
  quantised.n_ff = 32;
  quantised.chat_template = "chatml";
  std::vector<Seed> seeds;
  for (const auto& [architecture, options] :
       {std::pair{"llama", smallest}, std::pair{"mamba", recurrent}, std::pair{"jamba", hybrid},
        std::pair{"llama", quantised}}) {
    const TinyGgufFile file(options);
    std::ifstream in(file.path(), std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(in), {}};
    auto names = ends_of_names(bytes);
    seeds.push_back({architecture, std::move(bytes), std::move(names)});
  }
  return seeds;
}

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size)
      : rest_(reinterpret_cast<const char*>(data), size) {}
  [[nodiscard]] bool empty() const { return rest_.empty(); }
  std::string_view take(std::size_t n) {
    const auto out = rest_.substr(0, n);
    rest_.remove_prefix(out.size());
    return out;
  }
  std::size_t number(std::size_t bytes) {
    std::size_t value = 0;
    for (const char c : take(bytes)) {
      value = value << 8U | static_cast<std::uint8_t>(c);
    }
    return value;
  }

 private:
  std::string_view rest_;
};

// What a tiny model does not say of itself, and llama.cpp would use.
constexpr std::array<std::string_view, 48> kMoreKeys = {
    ".attention.head_count_kv",
    ".attention.key_length",
    ".attention.value_length",
    ".attention.key_length_mla",
    ".attention.causal",
    ".attention.clamp_kqv",
    ".attention.max_alibi_bias",
    ".attention.sliding_window",
    ".attention.sliding_window_pattern",
    ".attention.scale",
    ".attention.layer_norm_epsilon",
    ".attention.recurrent_layers",
    ".attn_logit_softcapping",
    ".final_logit_softcapping",
    ".embedding_scale",
    ".residual_scale",
    ".logit_scale",
    ".embedding_length_out",
    ".expert_count",
    ".expert_used_count",
    ".expert_group_count",
    ".expert_feed_forward_length",
    ".leading_dense_block_count",
    ".nextn_predict_layers",
    ".pooling_type",
    ".rope.dimension_count",
    ".rope.dimension_sections",
    ".rope.freq_base",
    ".rope.scale_linear",
    ".rope.scaling.type",
    ".rope.scaling.factor",
    ".rope.scaling.original_context_length",
    ".rope.scaling.yarn_ext_factor",
    ".ssm.conv_kernel",
    ".ssm.inner_size",
    ".ssm.state_size",
    ".ssm.time_step_rank",
    ".ssm.group_count",
    ".vocab_size",
    "general.alignment",
    "general.file_type",
    "split.count",
    "tokenizer.ggml.pre",
    "tokenizer.ggml.merges",
    "tokenizer.ggml.precompiled_charsmap",
    "tokenizer.ggml.token_type_count",
    "tokenizer.ggml.eot_token_id",
    "tokenizer.chat_template",
};

template <class T>
void append(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// The key as GGUF stores it: a number, a text, or a list of numbers.
std::string key(std::string_view architecture, Input& input, std::string_view value) {
  const std::string_view suffix = kMoreKeys[input.number(1) % kMoreKeys.size()];
  std::string out;
  append<std::uint64_t>(out, suffix.size() + (suffix[0] == '.' ? architecture.size() : 0));
  out += suffix[0] == '.' ? architecture : "";
  out += suffix;
  const auto type = static_cast<std::uint32_t>(input.number(1) % 10);
  append(out, type);
  constexpr std::array<std::size_t, 8> kSizes = {1, 1, 2, 2, 4, 4, 4, 1};
  if (type < kSizes.size()) {
    out += value.substr(0, kSizes[type]);
    out.append(kSizes[type] - std::min(kSizes[type], value.size()), '\0');
    return out;
  }
  std::size_t count = value.size();
  if (type == 9) {
    const auto element = static_cast<std::uint32_t>(input.number(1) % kSizes.size());
    append(out, element);
    count /= kSizes[element];
    value = value.substr(0, count * kSizes[element]);
  }
  append<std::uint64_t>(out, count);
  out += value;
  return out;
}

void add_key(std::string& bytes, const std::string& key) {
  constexpr std::size_t kCountAt = 16;  // GGUF's header: magic, version, tensors, keys
  constexpr std::size_t kHeader = 24;
  if (bytes.size() < kHeader) {
    return;
  }
  std::uint64_t keys = 0;
  std::memcpy(&keys, bytes.data() + kCountAt, sizeof keys);
  ++keys;
  std::memcpy(bytes.data() + kCountAt, &keys, sizeof keys);
  bytes.insert(kHeader, key);
  bytes.append(64, '\0');  // the tensors may begin later now
}

// Edits near names hit what llama.cpp takes its sizes from; those anywhere hit the rest.
std::string edited(Input input) {
  static const std::vector<Seed> seeds = make_seeds();
  const Seed& seed = seeds[input.number(1) % seeds.size()];
  std::string bytes = seed.bytes;
  while (!input.empty()) {
    const std::size_t how = input.number(1);
    const std::size_t place =
        how % 2 == 0 ? seed.names[input.number(1) % seed.names.size()] + input.number(1) % 48
                     : input.number(2);
    const std::size_t at = std::min(place, bytes.size());
    const std::string_view put = input.take(how / 2 % 8 + 1);
    switch (how / 16) {
      case 0:
        bytes.resize(at);
        break;
      case 1:
        bytes.insert(at, put);
        break;
      case 2:
        bytes.erase(at, put.size());
        break;
      case 3:
      case 4:
      case 5:
        add_key(bytes, key(seed.architecture, input, put));
        break;
      default:
        bytes.replace(at, std::min(put.size(), bytes.size() - at), put);
    }
  }
  return bytes;
}

// The file in memory, under a path that the engine can open.
class MemoryFile {
 public:
  MemoryFile() : fd_(::memfd_create("gguf_fuzz", MFD_CLOEXEC)) { require(fd_ >= 0); }
  ~MemoryFile() { ::close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  void write(std::string_view bytes) const {
    require(::ftruncate(fd_, 0) == 0);
    require(::pwrite(fd_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  }
  [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};

bool is_a_sentence(const gelato::Error& error) {
  const std::string& text = error.message;
  return !text.empty() && text.size() < 1000 && gelato::valid_utf8_prefix(text) == text.size() &&
         std::none_of(text.begin(), text.end(),
                      [](unsigned char c) { return c < ' ' || c == 0x7F; });
}

void compute(const LanguageModel& model) {
  const auto context = Context::create(model, {.tokens = 64, .batch_tokens = 8, .max_rows = 1});
  if (!context) {
    require(is_a_sentence(context.error()));
    return;
  }
  const std::array<gelato::spec::Token, 1> tokens{0};
  const Context::Append append{.sequence = 0, .tokens = tokens, .rows = 1};
  if (const auto done = (*context)->decode({&append, 1}); !done) {
    require(is_a_sentence(done.error()));
    return;
  }
  const auto logits = (*context)->logits(0, 0);
  require(logits.has_value() &&
          logits->size() == static_cast<std::size_t>(model.info().vocabulary_size));
}

void use(const LanguageModel& model) {
  std::string text;
  for (const gelato::spec::Token token : {0, 3, model.info().vocabulary_size - 1}) {
    model.append_piece(token, text);
  }
  if (const auto tokens = model.tokenize("gelato \xC3\xA8 <s>", true, true); tokens) {
    for (const auto token : *tokens) {
      require(token >= 0 && token < model.info().vocabulary_size);
    }
  }
  (void)model.apply_chat_template("hello");
  compute(model);
}

}  // namespace

// What llama.cpp holds when one of its assertions fails is lost (llama_guard.h). What the engine
// forgets to give back, its own tests find.
// NOLINTNEXTLINE(bugprone-reserved-identifier, readability-identifier-naming): LSan's name
extern "C" const char* __lsan_default_suppressions() { return "leak:libllama\nleak:libggml\n"; }

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static gelato::NullLog log;
  static const std::unique_ptr<Backend> backend = Backend::create(log).value();
  static const MemoryFile file;
  const std::string_view raw(reinterpret_cast<const char*>(data), size);
  file.write(raw.substr(0, 4) == "GGUF" ? std::string(raw) : edited({data, size}));
  if (const auto ok = gelato::engine::check_gguf(file.path()); !ok) {
    require(is_a_sentence(ok.error()));
    return 0;
  }
  if (const auto model = LanguageModel::load(*backend, file.path()); model) {
    use(**model);
  } else {
    require(is_a_sentence(model.error()));
  }
  return 0;
}
