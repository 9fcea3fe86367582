// What the edge says about its target, and whether a device fits it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <utility>
#include <vector>

#include "gelato/base/result.h"
#include "gelato/engine/language_model.h"
#include "gelato/proto/error.h"
#include "gelato/proto/messages.h"
#include "gelato/spec/vocabulary.h"

namespace gelato::edge {

// 64-bit fingerprint (FNV-1a) of a model file: its size and 64 blocks of 4 KiB spread evenly over
// it. Reads 256 KiB of a file of any size; other weights, another quantisation or another tokenizer
// give another value.
// Errors: kNotFound, kIo.
Result<std::uint64_t> fingerprint_file(const std::filesystem::path& path);

// One thread.
class ServedModel {
 public:
  ServedModel(proto::ModelCard card, spec::Vocabulary vocabulary);
  // Errors: those of fingerprint_file(); kUnsupported for a recurrent or hybrid model, whose state
  // cannot be cut back after a rejection.
  static Result<ServedModel> of(const engine::LanguageModel& model);

  [[nodiscard]] const proto::ModelCard& card() const { return card_; }
  [[nodiscard]] bool ends_text(spec::Token token) const;

  // Whether a device that opens like this can draft for the model.
  // Errors: kVocabulary, kModel; kMode for rows that could not be sent (kDssd with a vocabulary
  // above proto::kMaxRowEntries and no top-k).
  proto::WireResult<> check(const proto::Open& open);

 private:
  [[nodiscard]] std::uint64_t fingerprint(spec::Token common);

  proto::ModelCard card_;
  spec::Vocabulary vocabulary_;
  // Of the vocabulary's beginnings that were asked for; at most spec::kMaxPadding + 1.
  std::vector<std::pair<spec::Token, std::uint64_t>> fingerprints_;
};

}  // namespace gelato::edge
