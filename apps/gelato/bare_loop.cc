#include "gelato/bare_loop.h"

#include <algorithm>
#include <ctime>
#include <map>
#include <utility>
#include <vector>

namespace gelato::cli {
namespace {

// As `gelato edge` has them.
constexpr std::uint32_t kMaxCells = 16384;
constexpr std::uint32_t kMaxRows = 256;

// Gives pass widths in the proportions of a load, evenly mixed.
class Widths {
 public:
  explicit Widths(const LoadResult& load) {
    const double passes = load.passes();
    for (const auto& device : load.answers) {
      for (const AnsweredDraft& answer : device) {
        const std::uint32_t width = std::max(1U, answer.sessions);
        shares_[width].share += 1.0 / width / passes;
      }
    }
  }

  // The width that is most in arrears.
  std::uint32_t next() {
    auto chosen = shares_.begin();
    for (auto it = shares_.begin(); it != shares_.end(); ++it) {
      it->second.credit += it->second.share;
      if (it->second.credit > chosen->second.credit) {
        chosen = it;
      }
    }
    chosen->second.credit -= 1.0;
    return chosen->first;
  }

 private:
  struct Share {
    double share = 0.0;
    double credit = 0.0;
  };
  std::map<std::uint32_t, Share> shares_;
};

}  // namespace

Result<std::unique_ptr<BareLoop>> BareLoop::create(const engine::LanguageModel& model,
                                                   std::uint32_t sessions,
                                                   std::uint32_t batch_tokens, const Clock& clock) {
  const std::uint32_t sequences = std::min(engine::kMaxSequences, 2 * sessions);
  const auto useful = std::uint64_t{model.info().context_length} * sequences;
  auto context = engine::Context::create(
      model, {.tokens = static_cast<std::uint32_t>(std::min<std::uint64_t>(kMaxCells, useful)),
              .sequences = sequences,
              .batch_tokens = batch_tokens,
              .max_rows = std::min(batch_tokens, kMaxRows),
              .threads = engine::default_threads(model.info()),
              .pool = {}});
  if (!context) {
    return fail(context.error());
  }
  return std::unique_ptr<BareLoop>(new BareLoop(std::move(*context), clock));
}

Result<BareRate> BareLoop::play(const LoadResult& load, std::uint32_t prompt, std::uint32_t text,
                                Seconds window, bool full) {
  const engine::ContextOptions& options = context_->options();
  const std::vector<spec::Token> tokens(
      std::max<std::size_t>(std::size_t{prompt} + text, options.batch_tokens), 1);
  const auto text_of = [&](std::size_t length) { return std::span(tokens).first(length); };
  std::vector<std::uint32_t> sequences;  // of devices that had rounds
  for (std::uint32_t i = 0; i < load.answers.size(); ++i) {
    if (load.answers[i].empty()) {
      continue;
    }
    sequences.push_back(i);
    if (auto ok = context_->truncate(i, 0); !ok) {
      return fail(ok.error());
    }
    const std::size_t written = std::size_t{text} * i / load.answers.size();
    if (auto ok = engine::Sequence(*context_, i).append(text_of(prompt + written), 0); !ok) {
      return fail(ok.error());
    }
  }
  Widths widths(load);
  std::vector<std::size_t> round(load.answers.size(), 0);
  std::vector<engine::Context::Append> batch;
  std::size_t turn = 0;  // sequences take turns
  double committed = 0.0;
  const std::clock_t cpu = std::clock();
  const Seconds from = clock_->now();
  Seconds now = from;
  for (; now - from < window; now = clock_->now()) {
    const std::size_t width =
        std::min<std::size_t>(full ? sequences.size() : widths.next(), sequences.size());
    batch.clear();
    std::uint32_t rows = 0;
    while (batch.size() < width) {
      const std::uint32_t sequence = sequences[turn % sequences.size()];
      const auto& answers = load.answers[sequence];
      const std::uint32_t count = answers[round[sequence] % answers.size()].drafted + 1;
      if (!batch.empty() && rows + count > options.max_rows) {
        break;
      }
      batch.push_back({.sequence = sequence, .tokens = {tokens.data(), count}, .rows = count});
      rows += count;
      ++turn;
    }
    if (auto ok = context_->decode(batch); !ok) {
      return fail(ok.error());
    }
    for (const auto& append : batch) {
      const auto& answers = load.answers[append.sequence];
      const AnsweredDraft& answer = answers[round[append.sequence]++ % answers.size()];
      const auto before =
          context_->length(append.sequence) - static_cast<std::uint32_t>(append.tokens.size());
      const std::uint32_t after = before + answer.accepted + 1;
      committed += answer.accepted + 1;
      const bool ends = after >= prompt + text;
      if (auto ok = context_->truncate(append.sequence, ends ? 0 : after); !ok) {
        return fail(ok.error());
      }
      if (ends) {
        if (auto ok = engine::Sequence(*context_, append.sequence).append(text_of(prompt), 0);
            !ok) {
          return fail(ok.error());
        }
      }
    }
  }
  const double cpu_s = static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC;
  return BareRate{.tokens_per_s = committed / (now - from).value(),
                  .tokens_per_cpu_s = committed / cpu_s};
}

}  // namespace gelato::cli
