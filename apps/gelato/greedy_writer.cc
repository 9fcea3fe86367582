#include "gelato/greedy_writer.h"

#include <utility>

#include "gelato/engine/row_stats.h"

namespace gelato::cli {

Result<GreedyWriter> GreedyWriter::create(const engine::LanguageModel& model, std::uint32_t texts,
                                          std::uint32_t window, std::uint32_t threads) {
  auto context = engine::Context::create(model, {.tokens = texts * window,
                                                 .sequences = texts,
                                                 .max_rows = texts,
                                                 .threads = threads,
                                                 .pool = {}});
  if (!context) {
    return fail(context.error());
  }
  return GreedyWriter(std::move(*context));
}

Result<bool> GreedyWriter::extend(GreedyText& text, std::uint32_t limit, std::size_t append) {
  const auto row = context_->logits(append, 0);
  if (!row) {
    return fail(row.error());
  }
  const auto token = engine::row_argmax(*row);
  if (!token) {
    return fail(token.error());
  }
  text.tokens.push_back(*token);
  text.ended = context_->model().is_end_of_generation(*token);
  return !text.ended && text.tokens.size() < limit;
}

Result<std::vector<GreedyText>> GreedyWriter::write(std::span<const Task> tasks,
                                                    const std::function<bool()>& keep_going) {
  std::vector<GreedyText> texts(tasks.size());
  std::vector<std::uint32_t> writing;  // indices of texts that go on
  for (std::uint32_t i = 0; i < tasks.size(); ++i) {
    engine::Sequence sequence(*context_, i);
    if (auto ok = sequence.truncate(0); !ok) {
      return fail(ok.error());
    }
    if (auto ok = sequence.append(tasks[i].prompt, 1); !ok) {
      return fail(ok.error());
    }
    const auto more = extend(texts[i], tasks[i].limit, 0);
    if (!more) {
      return fail(more.error());
    }
    if (*more) {
      writing.push_back(i);
    }
  }
  std::vector<engine::Context::Append> batch;
  while (!writing.empty()) {
    if (!keep_going()) {
      return fail(ErrorCode::kCancelled, "the recording was interrupted");
    }
    batch.clear();
    for (const std::uint32_t i : writing) {
      batch.push_back({.sequence = i, .tokens = {&texts[i].tokens.back(), 1}, .rows = 1});
    }
    if (auto ok = context_->decode(batch); !ok) {
      return fail(ok.error());
    }
    std::vector<std::uint32_t> rest;
    for (std::size_t k = 0; k < writing.size(); ++k) {
      const std::uint32_t i = writing[k];
      const auto more = extend(texts[i], tasks[i].limit, k);
      if (!more) {
        return fail(more.error());
      }
      if (*more) {
        rest.push_back(i);
      }
    }
    writing = std::move(rest);
  }
  return texts;
}

}  // namespace gelato::cli
