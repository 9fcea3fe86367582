#include "gelato/edge/served_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <system_error>

namespace gelato::edge {

Result<std::uint64_t> fingerprint_file(const std::filesystem::path& path) {
  constexpr std::uint64_t kBlocks = 64;
  constexpr std::uint64_t kBlockBytes = 4096;
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(path, error);
  if (error) {
    return fail(ErrorCode::kNotFound,
                fmt::format("cannot read {}: {}", path.string(), error.message()));
  }
  std::ifstream file(path, std::ios::binary);
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  const auto add = [&hash](std::uint8_t byte) { hash = (hash ^ byte) * 0x100000001b3ULL; };
  for (unsigned shift = 0; shift < 64; shift += 8) {
    add(static_cast<std::uint8_t>(size >> shift));
  }
  const std::uint64_t last = size > kBlockBytes ? size - kBlockBytes : 0;
  std::array<char, kBlockBytes> block{};
  for (std::uint64_t i = 0; i < kBlocks; ++i) {
    const std::uint64_t at = last / (kBlocks - 1) * i + last % (kBlocks - 1) * i / (kBlocks - 1);
    const auto bytes = static_cast<std::streamsize>(std::min(kBlockBytes, size));
    file.seekg(static_cast<std::streamoff>(at));
    if (!file.read(block.data(), bytes)) {
      return fail(ErrorCode::kIo, fmt::format("cannot read {}", path.string()));
    }
    std::for_each(block.begin(), block.begin() + bytes,
                  [&](char c) { add(static_cast<std::uint8_t>(c)); });
  }
  return hash;
}

ServedModel::ServedModel(proto::ModelCard card, spec::Vocabulary vocabulary)
    : card_(std::move(card)), vocabulary_(std::move(vocabulary)) {}

Result<ServedModel> ServedModel::of(const engine::LanguageModel& model) {
  const engine::ModelInfo& info = model.info();
  if (!info.can_truncate) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("{} ({}) keeps a state that cannot be cut back after a rejected draft; "
                            "serve a model with attention in every layer",
                            info.path, info.architecture));
  }
  const auto file = fingerprint_file(info.path);
  if (!file) {
    return fail(file.error());
  }
  const spec::Vocabulary& vocabulary = model.vocabulary();
  std::vector<spec::Token> ends = vocabulary.end_of_generation;
  ends.resize(std::min<std::size_t>(ends.size(), proto::kMaxEndTokens));
  return ServedModel({.name = std::filesystem::path(info.path).filename().string(),
                      .description = info.description,
                      .fingerprint = *file,
                      .parameters = info.parameters,
                      .n_vocab = info.vocabulary_size,
                      .vocabulary_fingerprint = spec::fingerprint(vocabulary),
                      .end_of_generation = std::move(ends)},
                     vocabulary);
}

bool ServedModel::ends_text(spec::Token token) const {
  return std::binary_search(card_.end_of_generation.begin(), card_.end_of_generation.end(), token);
}

proto::WireResult<> ServedModel::check(const proto::Open& open) {
  using proto::ErrorKind;
  if (open.n_vocab != card_.n_vocab) {
    return proto::refuse(ErrorKind::kVocabulary,
                         fmt::format("the device takes the target's vocabulary to have {} tokens, "
                                     "but {} has {}; ask GetInfo",
                                     open.n_vocab, card_.name, card_.n_vocab));
  }
  if (card_.n_vocab - open.common_vocab > spec::kMaxPadding ||
      open.vocabulary_fingerprint != fingerprint(open.common_vocab)) {
    return proto::refuse(
        ErrorKind::kVocabulary,
        fmt::format("the device's vocabulary of {} tokens is not that of {}, which has {}; use a "
                    "draft model of the target's own family, with the same tokenizer",
                    open.common_vocab, card_.name, card_.n_vocab));
  }
  if (open.model_fingerprint != 0 && open.model_fingerprint != card_.fingerprint) {
    return proto::refuse(ErrorKind::kModel,
                         fmt::format("the device wants model {:016x}, but this edge serves {} "
                                     "({:016x})",
                                     open.model_fingerprint, card_.name, card_.fingerprint));
  }
  const std::uint32_t entries =
      open.sampling.top_k > 0 ? open.sampling.top_k : static_cast<std::uint32_t>(card_.n_vocab);
  if (open.mode == proto::WireMode::kDssd &&
      std::min(entries, static_cast<std::uint32_t>(card_.n_vocab)) > proto::kMaxRowEntries) {
    return proto::refuse(ErrorKind::kMode,
                         fmt::format("rows of {} entries are too large for mode dssd; use top-k up "
                                     "to {} or mode qrow",
                                     card_.n_vocab, proto::kMaxRowEntries));
  }
  return {};
}

std::uint64_t ServedModel::fingerprint(spec::Token common) {
  const auto known = std::find_if(fingerprints_.begin(), fingerprints_.end(),
                                  [common](const auto& f) { return f.first == common; });
  if (known != fingerprints_.end()) {
    return known->second;
  }
  return fingerprints_.emplace_back(common, spec::fingerprint(vocabulary_, common)).second;
}

}  // namespace gelato::edge
