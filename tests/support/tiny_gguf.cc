#include "tests/support/tiny_gguf.h"

#include <fmt/format.h>
#include <ggml.h>
#include <gguf.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <memory>
#include <numbers>
#include <string_view>
#include <utility>

#include "gelato/base/rng.h"

namespace gelato::testing {
namespace {

constexpr std::int32_t kFirstByte = 3;
constexpr std::int32_t kWordMark = kFirstByte + 256;
constexpr std::int32_t kFirstPiece = kWordMark + 1;

// The sizes of a Mamba block: the published defaults (arXiv 2312.00752, section 3.4) but for the
// state, which is 8 instead of 16.
constexpr std::int32_t kConvWidth = 4;
constexpr std::int32_t kStateSize = 8;
constexpr std::int32_t kTimeStepRank = 4;

// Token types as GGUF stores them: llama_token_type of llama.h.
enum TokenType : std::int32_t { kNormal = 1, kUnknown = 2, kControl = 3, kUnused = 5, kByte = 6 };

struct FreeGguf {
  void operator()(gguf_context* gguf) const { gguf_free(gguf); }
};
struct FreeGgml {
  void operator()(ggml_context* ggml) const { ggml_free(ggml); }
};

std::int32_t inner_size(const TinyGguf& o) { return 2 * o.n_embd; }

bool is_recurrent(const TinyGguf& o, std::int32_t layer) {
  return o.kind == TinyKind::kRecurrent || (o.kind == TinyKind::kHybrid && layer % 2 == 0);
}

Result<void> check(const TinyGguf& o) {
  const std::int32_t tokens = o.vocab_size + o.padding;
  const auto known = [tokens](std::int32_t id) { return id >= 0 && id < tokens; };
  const auto wrong = [](std::string_view what) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("A tiny GGUF model needs {}.", what));
  };
  if (o.vocab_size < kFirstPiece || o.padding < 0 || tokens > 100'000) {
    return wrong("260 to 100000 tokens");
  }
  if (!known(o.bos_id) || !known(o.eos_id)) {
    return wrong("bos_id and eos_id inside its vocabulary");
  }
  for (const TinyToken& token : o.replaced) {
    if (!known(token.id) || token.text.empty()) {
      return wrong("replaced tokens that have a text and lie inside its vocabulary");
    }
  }
  if (o.n_layer < (o.kind == TinyKind::kHybrid ? 2 : 1) || o.n_layer > 64) {
    return wrong("1 to 64 layers, a hybrid one at least 2");
  }
  if (o.n_head < 1 || o.n_embd < 2 || o.n_embd > 1024 || o.n_embd % (2 * o.n_head) != 0) {
    return wrong("n_embd <= 1024, a multiple of 2 * n_head");
  }
  if (o.n_ff < 1 || o.n_ff > 4096 || o.context_length < 1) {
    return wrong("n_ff of 1 to 4096 and a positive context_length");
  }
  if (o.weights == TinyWeights::kQ8 && (o.n_embd % 32 != 0 || o.n_ff % 32 != 0)) {
    return wrong("n_embd and n_ff that are multiples of 32 for Q8_0");
  }
  return {};
}

// Number `index` of the strings a..z, aa..zz, aaa...
std::string piece(std::int32_t index) {
  std::string text;
  for (std::int32_t rest = index + 1; rest > 0; rest = (rest - 1) / 26) {
    text.insert(text.begin(), static_cast<char>('a' + (rest - 1) % 26));
  }
  return text;
}

struct Vocabulary {
  std::vector<std::string> texts;
  std::vector<float> scores;
  std::vector<std::int32_t> types;

  void add(std::string text, TokenType type, float score = 0.0F) {
    texts.push_back(std::move(text));
    types.push_back(type);
    scores.push_back(score);
  }
};

Vocabulary vocabulary(const TinyGguf& o) {
  Vocabulary v;
  v.add("<unk>", kUnknown);
  v.add("<s>", kControl);
  v.add("</s>", kControl);
  for (int byte = 0; byte < 256; ++byte) {
    v.add(fmt::format("<0x{:02X}>", byte), kByte);
  }
  v.add("\u2581", kNormal);
  for (std::int32_t i = 0; i < o.vocab_size - kFirstPiece; ++i) {
    v.add(piece(i), kNormal, static_cast<float>(-i - 1));  // shorter pieces merge first
  }
  for (std::int32_t i = 0; i < o.padding; ++i) {
    v.add(fmt::format("<pad{}>", i), kUnused);
  }
  for (const TinyToken& token : o.replaced) {
    const auto at = static_cast<std::size_t>(token.id);
    v.texts[at] = token.text;
    v.types[at] = token.control ? kControl : kNormal;
  }
  return v;
}

// Collects keys and tensors, and writes them.
class Writer {
 public:
  explicit Writer(const TinyGguf& options)
      : o_(options),
        gguf_(gguf_init_empty()),
        ggml_(ggml_init({.mem_size = kMaxTensors * ggml_tensor_overhead(),
                         .mem_buffer = nullptr,
                         .no_alloc = true})) {}

  void write_metadata();
  void write_tensors();
  bool save(const std::filesystem::path& path) const {
    return gguf_write_to_file(gguf_.get(), path.c_str(), false);
  }

 private:
  static constexpr std::size_t kMaxTensors = 64 * 16 + 3;  // most layers x most tensors in a layer

  [[nodiscard]] std::string_view architecture() const {
    switch (o_.kind) {
      case TinyKind::kAttention:
        return "llama";
      case TinyKind::kRecurrent:
        return "mamba";
      case TinyKind::kHybrid:
        break;
    }
    return "jamba";
  }
  void key(std::string_view name, std::int32_t value) {
    const std::string full = fmt::format("{}.{}", architecture(), name);
    gguf_set_val_u32(gguf_.get(), full.c_str(), static_cast<std::uint32_t>(value));
  }
  void write_vocabulary();
  void write_attention(std::int32_t layer);
  void write_recurrence(std::int32_t layer);
  void write_feed_forward(std::int32_t layer);

  // A matrix [inputs -> outputs] whose outputs have the standard deviation `scale`.
  void matrix(const std::string& name, std::int32_t inputs, std::int32_t outputs, double scale);
  void matrix(const std::string& name, std::int32_t inputs, std::int32_t outputs) {
    matrix(name, inputs, outputs, o_.weight_scale);
  }
  void norm(const std::string& name) {
    tensor(name, {o_.n_embd}, std::vector<float>(count(o_.n_embd), 1.0F));
  }
  // A tensor in F32 of the given sizes, fastest first.
  void tensor(const std::string& name, std::initializer_list<std::int64_t> sizes,
              const std::vector<float>& values) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(values.data());
    add(name, GGML_TYPE_F32, sizes, {bytes, bytes + values.size() * sizeof(float)});
  }
  void add(const std::string& name, ggml_type type, std::initializer_list<std::int64_t> sizes,
           std::vector<std::uint8_t> data);
  [[nodiscard]] std::vector<float> random(const std::string& name, std::size_t n,
                                          double deviation) const;
  static std::size_t count(std::int32_t n) { return static_cast<std::size_t>(n); }

  const TinyGguf& o_;
  std::unique_ptr<gguf_context, FreeGguf> gguf_;
  std::unique_ptr<ggml_context, FreeGgml> ggml_;
  std::vector<std::vector<std::uint8_t>> data_;  // what the tensors of gguf_ point to
};

void Writer::write_metadata() {
  gguf_set_val_str(gguf_.get(), "general.architecture", std::string(architecture()).c_str());
  gguf_set_val_str(gguf_.get(), "general.name", "tiny random model");
  key("vocab_size", o_.vocab_size + o_.padding);
  key("context_length", o_.context_length);
  key("embedding_length", o_.n_embd);
  key("block_count", o_.n_layer);
  gguf_set_val_f32(gguf_.get(),
                   fmt::format("{}.attention.layer_norm_rms_epsilon", architecture()).c_str(),
                   1e-5F);
  key("feed_forward_length", o_.kind == TinyKind::kRecurrent ? 0 : o_.n_ff);
  key("attention.head_count", o_.kind == TinyKind::kRecurrent ? 0 : o_.n_head);
  if (o_.kind == TinyKind::kAttention) {
    key("rope.dimension_count", o_.n_embd / o_.n_head);
  } else {
    key("ssm.conv_kernel", kConvWidth);
    key("ssm.inner_size", inner_size(o_));
    key("ssm.state_size", kStateSize);
    key("ssm.time_step_rank", kTimeStepRank);
  }
  if (o_.kind == TinyKind::kHybrid) {  // a layer without key heads is a recurrent one
    std::vector<std::int32_t> heads(count(o_.n_layer), 0);
    for (std::size_t layer = 1; layer < heads.size(); layer += 2) {
      heads[layer] = o_.n_head;
    }
    gguf_set_arr_data(gguf_.get(), "jamba.attention.head_count_kv", GGUF_TYPE_INT32, heads.data(),
                      heads.size());
  }
  write_vocabulary();
}

void Writer::write_vocabulary() {
  const Vocabulary v = vocabulary(o_);
  std::vector<const char*> texts;
  for (const std::string& text : v.texts) {
    texts.push_back(text.c_str());
  }
  gguf_context* g = gguf_.get();
  gguf_set_val_str(g, "tokenizer.ggml.model", "llama");
  gguf_set_arr_str(g, "tokenizer.ggml.tokens", texts.data(), texts.size());
  gguf_set_arr_data(g, "tokenizer.ggml.scores", GGUF_TYPE_FLOAT32, v.scores.data(),
                    v.scores.size());
  gguf_set_arr_data(g, "tokenizer.ggml.token_type", GGUF_TYPE_INT32, v.types.data(),
                    v.types.size());
  gguf_set_val_u32(g, "tokenizer.ggml.unknown_token_id", 0);
  gguf_set_val_u32(g, "tokenizer.ggml.bos_token_id", static_cast<std::uint32_t>(o_.bos_id));
  gguf_set_val_u32(g, "tokenizer.ggml.eos_token_id", static_cast<std::uint32_t>(o_.eos_id));
  gguf_set_val_bool(g, "tokenizer.ggml.add_bos_token", o_.add_bos);
  if (!o_.chat_template.empty()) {
    gguf_set_val_str(g, "tokenizer.chat_template", o_.chat_template.c_str());
  }
}

void Writer::write_tensors() {
  const std::int32_t tokens = o_.vocab_size + o_.padding;
  // A row of the embedding is one token's vector, so its deviation does not shrink with its length.
  matrix("token_embd.weight", o_.n_embd, tokens, std::sqrt(o_.n_embd));
  norm("output_norm.weight");
  matrix("output.weight", o_.n_embd, tokens, o_.logit_scale);
  for (std::int32_t layer = 0; layer < o_.n_layer; ++layer) {
    norm(fmt::format("blk.{}.attn_norm.weight", layer));
    if (is_recurrent(o_, layer)) {
      write_recurrence(layer);
    } else {
      write_attention(layer);
    }
    if (o_.kind != TinyKind::kRecurrent) {
      write_feed_forward(layer);
    }
  }
}

void Writer::write_attention(std::int32_t layer) {
  for (const std::string_view name : {"attn_q", "attn_k", "attn_v", "attn_output"}) {
    matrix(fmt::format("blk.{}.{}.weight", layer, name), o_.n_embd, o_.n_embd);
  }
}

void Writer::write_feed_forward(std::int32_t layer) {
  norm(fmt::format("blk.{}.ffn_norm.weight", layer));
  matrix(fmt::format("blk.{}.ffn_gate.weight", layer), o_.n_embd, o_.n_ff);
  matrix(fmt::format("blk.{}.ffn_up.weight", layer), o_.n_embd, o_.n_ff);
  matrix(fmt::format("blk.{}.ffn_down.weight", layer), o_.n_ff, o_.n_embd);
}

// A Mamba block, initialised as in arXiv 2312.00752, section 3.6: A = -(1, 2, ...), D = 1, and a
// bias that makes the time step about 0.05.
void Writer::write_recurrence(std::int32_t layer) {
  const std::int32_t inner = inner_size(o_);
  const auto name = [layer](std::string_view part) {
    return fmt::format("blk.{}.{}", layer, part);
  };
  const auto constant = [](std::int32_t n, float value) {
    return std::vector<float>(count(n), value);
  };
  matrix(name("ssm_in.weight"), o_.n_embd, 2 * inner);
  tensor(name("ssm_conv1d.weight"), {kConvWidth, inner},
         random(name("ssm_conv1d.weight"), count(kConvWidth * inner), 0.5));
  tensor(name("ssm_conv1d.bias"), {inner}, constant(inner, 0.0F));
  matrix(name("ssm_x.weight"), inner, kTimeStepRank + 2 * kStateSize);
  tensor(name("ssm_dt.weight"), {kTimeStepRank, inner},
         random(name("ssm_dt.weight"), count(kTimeStepRank * inner), 0.5));
  tensor(name("ssm_dt.bias"), {inner}, constant(inner, -3.0F));
  std::vector<float> decay(count(kStateSize * inner));
  for (std::size_t i = 0; i < decay.size(); ++i) {
    decay[i] = -static_cast<float>(i % count(kStateSize) + 1);
  }
  tensor(name("ssm_a"), {kStateSize, inner}, decay);
  tensor(name("ssm_d"), {inner}, constant(inner, 1.0F));
  matrix(name("ssm_out.weight"), inner, o_.n_embd);
  if (o_.kind == TinyKind::kHybrid) {
    tensor(name("ssm_dt_norm.weight"), {kTimeStepRank}, constant(kTimeStepRank, 1.0F));
    tensor(name("ssm_b_norm.weight"), {kStateSize}, constant(kStateSize, 1.0F));
    tensor(name("ssm_c_norm.weight"), {kStateSize}, constant(kStateSize, 1.0F));
  }
}

void Writer::matrix(const std::string& name, std::int32_t inputs, std::int32_t outputs,
                    double scale) {
  const std::vector<float> values =
      random(name, count(inputs) * count(outputs), scale / std::sqrt(inputs));
  if (o_.weights == TinyWeights::kF32) {
    tensor(name, {inputs, outputs}, values);
    return;
  }
  std::vector<std::uint8_t> quantized(ggml_row_size(GGML_TYPE_Q8_0, inputs) * count(outputs));
  ggml_quantize_chunk(GGML_TYPE_Q8_0, values.data(), quantized.data(), 0, outputs, inputs, nullptr);
  add(name, GGML_TYPE_Q8_0, {inputs, outputs}, std::move(quantized));
}

void Writer::add(const std::string& name, ggml_type type, std::initializer_list<std::int64_t> sizes,
                 std::vector<std::uint8_t> data) {
  ggml_tensor* tensor =
      ggml_new_tensor(ggml_.get(), type, static_cast<int>(sizes.size()), sizes.begin());
  ggml_set_name(tensor, name.c_str());
  data_.push_back(std::move(data));
  tensor->data = data_.back().data();
  gguf_add_tensor(gguf_.get(), tensor);
}

// Normal numbers by Box and Muller, from the stream that the tensor's name selects.
std::vector<float> Writer::random(const std::string& name, std::size_t n, double deviation) const {
  const auto normal = [](Rng& rng) {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - rng.uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * rng.uniform());
  };
  Rng rng(o_.seed, name);
  Rng noise(o_.perturbation_seed, "perturbation " + name);
  std::vector<float> values(n);
  for (float& value : values) {
    double x = normal(rng);
    if (o_.perturbation != 0.0) {
      x += o_.perturbation * normal(noise);
    }
    value = static_cast<float>(deviation * x);
  }
  return values;
}

}  // namespace

Result<void> write_tiny_gguf(const TinyGguf& options, const std::filesystem::path& path) {
  if (auto checked = check(options); !checked) {
    return checked;
  }
  Writer writer(options);
  writer.write_metadata();
  writer.write_tensors();
  if (!writer.save(path)) {
    return fail(ErrorCode::kIo, fmt::format("The model cannot be written to {}.", path.string()));
  }
  return {};
}

TinyGgufFile::TinyGgufFile(const TinyGguf& options) : path_(folder_.path() / "tiny.gguf") {
  if (const auto written = write_tiny_gguf(options, path_); !written) {
    std::fprintf(stderr, "%s\n", written.error().message.c_str());
    std::abort();
  }
}

}  // namespace gelato::testing
