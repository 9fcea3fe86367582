// A target small enough to be enumerated, with a cache that keeps the rules of the real one.
#pragma once

#include <cmath>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "gelato/edge/served_model.h"
#include "gelato/edge/target.h"
#include "gelato/engine/cell_ledger.h"
#include "tests/support/toy_model.h"

namespace gelato::edge {

// Computes rows of a toy::ToyModel for the text that each sequence holds. Whoever gives it a wrong
// text gets wrong rows, as from a real model.
class ToyTarget final : public Target {
 public:
  explicit ToyTarget(const toy::ToyModel& model, std::uint32_t cells = 256,
                     std::uint32_t sequences = 8, std::uint32_t batch_tokens = 128)
      : model_(&model),
        shape_{.n_vocab = model.n_vocab(),
               .cells = cells,
               .sequences = sequences,
               .batch_tokens = batch_tokens,
               .max_rows = batch_tokens},
        cells_(cells, sequences),
        texts_(sequences) {}

  [[nodiscard]] TargetShape shape() const override { return shape_; }
  [[nodiscard]] std::uint32_t free_cells() const override { return cells_.free_cells(); }

  Result<void> decode(std::span<const Append> appends) override {
    ++passes;
    if (failures > 0) {
      --failures;
      return fail(ErrorCode::kInternal, "the toy target was told to fail");
    }
    if (auto ok = check(appends); !ok) {
      return ok;
    }
    rows_.assign(appends.size(), {});
    batch_sizes.push_back(appends.size());
    for (std::size_t a = 0; a < appends.size(); ++a) {
      std::vector<spec::Token>& text = texts_[appends[a].sequence];
      const std::size_t first = appends[a].tokens.size() - appends[a].rows;
      for (std::size_t i = 0; i < appends[a].tokens.size(); ++i) {
        text.push_back(appends[a].tokens[i]);
        if (i >= first) {
          rows_[a].push_back(logits_of(model_->row(text)));
        }
      }
      cells_.append(appends[a].sequence, static_cast<std::uint32_t>(appends[a].tokens.size()));
      tokens += appends[a].tokens.size();
    }
    return {};
  }
  [[nodiscard]] Result<std::span<const float>> logits(std::size_t append,
                                                      std::uint32_t row) override {
    return std::span<const float>(rows_.at(append).at(row));
  }
  Result<void> truncate(std::uint32_t sequence, std::uint32_t length) override {
    texts_.at(sequence).resize(std::min<std::size_t>(texts_[sequence].size(), length));
    cells_.truncate(sequence, length);
    return {};
  }
  Result<void> copy_prefix(std::uint32_t from, std::uint32_t to, std::uint32_t length) override {
    if (!texts_.at(to).empty() || length > texts_.at(from).size()) {
      return fail(ErrorCode::kInvalidArgument, "a prefix cannot be copied like this");
    }
    texts_[to].assign(texts_[from].begin(), texts_[from].begin() + length);
    cells_.share(from, to, length);
    return {};
  }

  [[nodiscard]] std::span<const spec::Token> text(std::uint32_t sequence) const {
    return texts_.at(sequence);
  }

  std::uint64_t passes = 0;
  std::uint64_t tokens = 0;              // appended in all passes
  std::vector<std::size_t> batch_sizes;  // sequences of each pass
  std::uint32_t failures = 0;            // so many of the next passes fail

 private:
  Result<void> check(std::span<const Append> appends) const {
    std::size_t n = 0;
    std::size_t rows = 0;
    std::vector<bool> seen(shape_.sequences);
    for (const Append& a : appends) {
      if (a.sequence >= shape_.sequences || seen[a.sequence] || a.tokens.empty() ||
          a.rows > a.tokens.size()) {
        return fail(ErrorCode::kInvalidArgument, "an append that cannot be");
      }
      seen[a.sequence] = true;
      n += a.tokens.size();
      rows += a.rows;
    }
    if (n > shape_.batch_tokens || rows > shape_.max_rows || n > cells_.free_cells()) {
      return fail(ErrorCode::kLimitExceeded, "the batch or the cache is too small");
    }
    return {};
  }
  [[nodiscard]] std::vector<float> logits_of(const spec::SparseDist& row) const {
    std::vector<float> logits(static_cast<std::size_t>(model_->n_vocab()),
                              -std::numeric_limits<float>::infinity());
    for (const spec::TokenProb& entry : row.entries()) {
      logits[static_cast<std::size_t>(entry.token)] = static_cast<float>(std::log(entry.prob));
    }
    return logits;
  }

  const toy::ToyModel* model_;
  TargetShape shape_;
  engine::CellLedger cells_;
  std::vector<std::vector<spec::Token>> texts_;
  std::vector<std::vector<std::vector<float>>> rows_;
};

// A vocabulary of single letters.
inline spec::Vocabulary toy_vocabulary(spec::Token n_vocab) {
  spec::Vocabulary vocabulary{.type = "toy", .texts = {}, .end_of_generation = {}};
  for (spec::Token id = 0; id < n_vocab; ++id) {
    vocabulary.texts.emplace_back(1, static_cast<char>('a' + id));
  }
  return vocabulary;
}

// `ends`: the token that ends a text; -1: none.
inline ServedModel toy_served(spec::Token n_vocab, spec::Token ends = -1) {
  const spec::Vocabulary vocabulary = toy_vocabulary(n_vocab);
  proto::ModelCard card{.name = "toy",
                        .description = "toy",
                        .fingerprint = 0x70f,
                        .parameters = 1,
                        .n_vocab = n_vocab,
                        .vocabulary_fingerprint = spec::fingerprint(vocabulary),
                        .end_of_generation = {}};
  if (ends >= 0) {
    card.end_of_generation.push_back(ends);
  }
  return {card, vocabulary};
}

// Opens a session that fits toy_served(). `sampling`: temperature 1.
inline proto::Open toy_open(spec::Token n_vocab, proto::WireMode mode,
                            std::vector<spec::Token> prompt, std::uint64_t seed = 1) {
  proto::Open open;
  open.n_vocab = n_vocab;
  open.common_vocab = n_vocab;
  open.vocabulary_fingerprint = spec::fingerprint(toy_vocabulary(n_vocab));
  open.mode = mode;
  open.sampling.temperature = mode == proto::WireMode::kIds ? 0.0 : 1.0;
  open.seed = seed;
  open.rows.n_vocab = n_vocab;
  open.tokens = std::move(prompt);
  return open;
}

}  // namespace gelato::edge
