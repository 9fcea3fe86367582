// One message of each kind, with every field in use.
#pragma once

#include <vector>

#include "gelato/proto/wire.h"

namespace gelato::proto {

inline constexpr spec::Token kVocab = 151'936;

inline Open sample_open(WireMode mode) {
  Open open;
  open.model_fingerprint = 0x0123456789abcdef;
  open.n_vocab = kVocab;
  open.common_vocab = kVocab - 128;
  open.vocabulary_fingerprint = 0xfedcba9876543210;
  open.mode = mode;
  if (mode != WireMode::kIds) {
    open.sampling = {.temperature = 0.8, .top_k = 40, .top_p = 0.95, .min_p = 0.05};
  }
  open.seed = 42;
  open.rows.n_vocab = kVocab;
  open.tokens = {1, 151'935, 0, 70'000};
  if (mode == WireMode::kDssd) {
    open.resume = Resume{.session = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
                         .count = 1234,
                         .hash = 0x1122334455667788};
  }
  return open;
}

inline Dialect sample_dialect(WireMode mode) { return *Dialect::of(sample_open(mode)); }

// Row i has i + 1 entries.
inline Draft sample_draft(WireMode mode, std::uint32_t count = 3) {
  Draft draft;
  draft.place = {.after = 17, .base = 1234, .drawn = {}};
  const Dialect dialect = sample_dialect(mode);
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto token = static_cast<spec::Token>(150'000 + i);
    spec::SparseDist& row = draft.draft.push(token);
    if (mode == WireMode::kQRow) {
      row.clear();
      for (std::uint32_t j = 0; j <= i; ++j) {
        row.storage().push_back({static_cast<spec::Token>(150'000 + j), 1.0 + j});
      }
      row.normalise();
      dialect.codec()->quantise(row);
    }
    if (mode == WireMode::kDssd) {
      draft.q.push_back(1.0 / (3.0 + i));
    }
  }
  draft.no_bonus = mode == WireMode::kQRow;
  if (mode == WireMode::kDssd) {
    draft.place.drawn = 99;
  }
  return draft;
}

inline Timing sample_timing() {
  return {.queue = Seconds(0.00125),
          .verify = Seconds(0.098765),
          .sessions = 7,
          .other_tokens = 19,
          .other_sessions = 11};
}

inline ServerInfo sample_info() {
  return {.version = "0.1.0",
          .protocol_oldest = 1,
          .protocol_newest = 1,
          .model = {.name = "target.gguf",
                    .description = "llama 7B Q8_0",
                    .fingerprint = 7,
                    .parameters = 7'000'000'000,
                    .n_vocab = kVocab,
                    .vocabulary_fingerprint = 8,
                    .end_of_generation = {151'643, 151'645}},
          .limits = {.context_tokens = 4096, .lease = Seconds(30.0)},
          .modes = {WireMode::kIds, WireMode::kQRow, WireMode::kDssd}};
}

}  // namespace gelato::proto
