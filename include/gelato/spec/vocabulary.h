// Can these two models speak about the same tokens? Speculation exchanges ids, so the draft's id i
// must be the target's id i.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gelato/base/result.h"
#include "gelato/spec/sparse_dist.h"

namespace gelato::spec {

// A model's vocabulary as plain data. `texts[i]` is the stored text of token i (not detokenised).
struct Vocabulary {
  std::string type;  // tokenizer family, e.g. "spm", "bpe"
  std::vector<std::string> texts;
  Token bos = -1;  // -1: the model has none
  Token eos = -1;
  bool add_bos = false;
  std::vector<Token> end_of_generation;  // ascending
};

// What a successful match found.
struct VocabularyMatch {
  // Ids below this are common to both. Ids at and above it exist in one model only: padding to a
  // round matrix size, or tokens added later. The draft must not propose them; the target may
  // choose them, which costs a rejection and nothing else.
  Token common = 0;
  // One sentence on the difference in size, empty if there is none.
  std::string note;
};

// Differences in size up to this many tokens are taken for padding (what llama.cpp's
// SPEC_VOCAB_MAX_SIZE_DIFFERENCE allows; Qwen2.5 0.5B and 7B differ by exactly 128).
inline constexpr Token kMaxPadding = 128;

// Whether drafts of `draft` can be verified by `target`.
// Errors: kUnsupported, with one sentence that names the first difference (tokenizer family, size,
// special token, or the first token whose text differs).
Result<VocabularyMatch> match_vocabularies(const Vocabulary& target, const Vocabulary& draft);

// 64-bit fingerprint (FNV-1a) of everything match_vocabularies() compares: equal for vocabularies
// that match without padding, different for all others but by an accident of probability 2^-64. It
// spares two machines the exchange of their token texts; it is no defence against a forger.
std::uint64_t fingerprint(const Vocabulary& vocabulary);
// The same of the first `common` tokens alone: equal for vocabularies that match up to padding,
// when `common` is the smaller of their sizes.
std::uint64_t fingerprint(const Vocabulary& vocabulary, Token common);

}  // namespace gelato::spec
