// Random language models of a few kilobytes, written as GGUF files that llama.cpp loads: for tests
// that need a model with a chosen vocabulary, architecture or flaw instead of a good one.
//
// The same options give the same file, byte for byte. A weight depends on the seed, its tensor's
// name and its place alone, so two models whose options differ only in `n_layer` share what they
// have in common; together with `perturbation` that makes drafts that agree with a target
// sometimes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "gelato/base/result.h"
#include "tests/support/temp_dir.h"

namespace gelato::testing {

enum class TinyKind {
  kAttention,  // "llama": attention in every layer; a sequence can be cut at any length
  kRecurrent,  // "mamba": a state instead of a KV cache; a sequence cannot be cut
  kHybrid,     // "jamba": even layers recurrent, odd layers attention (n_layer >= 2)
};

// How matrices are stored; kQ8 is GGUF Q8_0 and needs n_embd and n_ff that are multiples of 32.
enum class TinyWeights { kF32, kQ8 };

// Replaces one token of the vocabulary.
struct TinyToken {
  std::int32_t id = 0;
  std::string text = {};
  bool control = false;  // a special token (such as <|im_end|>) instead of ordinary text
};

struct TinyGguf {
  TinyKind kind = TinyKind::kAttention;
  TinyWeights weights = TinyWeights::kF32;

  // The vocabulary is SentencePiece's: 0 <unk>, 1 <s>, 2 </s>, 3..258 the bytes, 259 the word mark
  // (U+2581), 260.. lower-case strings in the order a..z, aa..zz, aaa.. up to `vocab_size`; then
  // `padding` unused tokens, which some models add to round their matrices up.
  std::int32_t vocab_size = 320;  // at least 260
  std::int32_t padding = 0;
  std::int32_t bos_id = 1;
  std::int32_t eos_id = 2;
  bool add_bos = true;
  std::vector<TinyToken> replaced = {};
  std::string chat_template = {};  // none when empty

  std::int32_t n_layer = 2;
  std::int32_t n_embd = 32;
  std::int32_t n_head = 2;  // heads of queries, keys and values; n_embd / n_head is even
  std::int32_t n_ff = 64;   // unused by kRecurrent
  std::int32_t context_length = 256;

  std::uint64_t seed = 1;
  // Standard deviation of a matrix's output for an input of unit variance, and of the logits: 0
  // makes every next token equally likely, 10 makes the model nearly certain.
  double weight_scale = 1.0;
  double logit_scale = 2.0;
  // Relative noise added to every weight, drawn with `perturbation_seed`: 0 is the model itself,
  // 0.1 mostly agrees with it, 1 hardly ever.
  double perturbation = 0.0;
  std::uint64_t perturbation_seed = 0;
};

// Writes the model to `path`, replacing a file that is there. Errors: kInvalidArgument names the
// option that cannot be; kIo when the file cannot be written.
Result<void> write_tiny_gguf(const TinyGguf& options, const std::filesystem::path& path);

// A model in the folder for temporary files, removed with the object. Not copyable.
class TinyGgufFile {
 public:
  // Aborts the test program when the model cannot be written: a test cannot go on without it.
  explicit TinyGgufFile(const TinyGguf& options = {});

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  TempDir folder_;
  std::filesystem::path path_;
};

}  // namespace gelato::testing
