#include "gelato/spec/vocabulary.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

namespace gelato::spec {
namespace {

// Printable ASCII only, and short: token texts are arbitrary bytes out of a model file.
std::string quoted(std::string_view text) {
  constexpr std::size_t kShown = 40;
  std::string out = "\"";
  for (const char c : text.substr(0, kShown)) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\';
    out += plain ? std::string(1, c) : fmt::format("\\x{:02x}", byte);
  }
  return out + (text.size() > kShown ? "...\"" : "\"");
}

tl::unexpected<Error> mismatch(const std::string& difference) {
  return fail(ErrorCode::kUnsupported,
              fmt::format("this draft model cannot draft for this target: {}; use a draft model of "
                          "the target's own family, with the same tokenizer",
                          difference));
}

std::string special(Token id) { return id < 0 ? "none" : fmt::format("token {}", id); }

// FNV-1a, continued over several fields. Texts are preceded by their length, so that no two
// different lists of texts feed the same bytes.
class Fnv {
 public:
  void add(std::string_view bytes) {
    add(bytes.size());
    for (const char c : bytes) {
      step(static_cast<unsigned char>(c));
    }
  }
  void add(std::uint64_t value) {
    for (int shift = 0; shift < 64; shift += 8) {
      step((value >> shift) & 0xff);
    }
  }
  void add(Token id) { add(static_cast<std::uint64_t>(static_cast<std::uint32_t>(id))); }
  [[nodiscard]] std::uint64_t value() const { return hash_; }

 private:
  void step(std::uint64_t byte) { hash_ = (hash_ ^ byte) * 0x100000001b3ULL; }
  std::uint64_t hash_ = 0xcbf29ce484222325ULL;
};

}  // namespace

Result<VocabularyMatch> match_vocabularies(const Vocabulary& target, const Vocabulary& draft) {
  if (target.type != draft.type) {
    return mismatch(fmt::format("the target's tokenizer is of type {}, the draft's of type {}",
                                quoted(target.type), quoted(draft.type)));
  }
  const std::size_t larger = std::max(target.texts.size(), draft.texts.size());
  const std::size_t common = std::min(target.texts.size(), draft.texts.size());
  if (larger - common > static_cast<std::size_t>(kMaxPadding)) {
    return mismatch(
        fmt::format("the target has {} tokens and the draft {}, and a difference of "
                    "more than {} is not padding",
                    target.texts.size(), draft.texts.size(), kMaxPadding));
  }
  if (target.bos != draft.bos) {
    return mismatch(fmt::format("the beginning of a text is {} for the target and {} for the draft",
                                special(target.bos), special(draft.bos)));
  }
  if (target.eos != draft.eos) {
    return mismatch(fmt::format("the end of a text is {} for the target and {} for the draft",
                                special(target.eos), special(draft.eos)));
  }
  if (target.add_bos != draft.add_bos) {
    return mismatch(fmt::format("only the {} wants a beginning-of-text token before the prompt",
                                target.add_bos ? "target" : "draft"));
  }
  for (std::size_t i = 0; i < common; ++i) {
    if (target.texts[i] != draft.texts[i]) {
      return mismatch(fmt::format("token {} is {} for the target and {} for the draft", i,
                                  quoted(target.texts[i]), quoted(draft.texts[i])));
    }
  }
  VocabularyMatch match{.common = static_cast<Token>(common), .note = {}};
  if (larger != common) {
    match.note = fmt::format(
        "the {} has {} tokens more than the {} (padding); the first {} agree, and only those are "
        "drafted",
        target.texts.size() > common ? "target" : "draft", larger - common,
        target.texts.size() > common ? "draft" : "target", common);
  }
  return match;
}

std::uint64_t fingerprint(const Vocabulary& vocabulary) {
  return fingerprint(vocabulary, static_cast<Token>(vocabulary.texts.size()));
}

std::uint64_t fingerprint(const Vocabulary& vocabulary, Token common) {
  const std::size_t count =
      std::min(vocabulary.texts.size(), static_cast<std::size_t>(std::max(common, 0)));
  Fnv hash;
  hash.add(vocabulary.type);
  hash.add(vocabulary.bos);
  hash.add(vocabulary.eos);
  hash.add(static_cast<std::uint64_t>(vocabulary.add_bos));
  hash.add(static_cast<std::uint64_t>(count));
  for (const std::string& text : std::span(vocabulary.texts).first(count)) {
    hash.add(std::string_view(text));
  }
  return hash.value();
}

}  // namespace gelato::spec
