#include "gelato/continuation_recorder.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "gelato/engine/row_stats.h"

namespace gelato::cli {
namespace {

// Branches in one batch: weights are read once for all of them, and more no longer pays on a
// processor.
constexpr std::uint32_t kBranches = 64;
constexpr std::uint32_t kText = 0;  // the sequence that holds the text; branches come after it

tl::unexpected<Error> cancelled() {
  return fail(ErrorCode::kCancelled, "the recording was interrupted");
}

}  // namespace

Result<ContinuationRecorder> ContinuationRecorder::create(const engine::LanguageModel& model,
                                                          Options options) {
  auto context =
      engine::Context::create(model, {.tokens = options.window + kBranches * options.depth,
                                      .sequences = kBranches + 1,
                                      .batch_tokens = 512,
                                      .max_rows = kBranches,
                                      .threads = options.threads,
                                      .pool = {}});
  if (!context) {
    return fail(context.error());
  }
  return ContinuationRecorder(std::move(*context), std::move(options));
}

bool ContinuationRecorder::ends_text(spec::Token token) const {
  return std::binary_search(options_.end_of_generation.begin(), options_.end_of_generation.end(),
                            token);
}

// As engine::ModelDrafter has it for a token that only the target knows.
spec::Token ContinuationRecorder::known(spec::Token token) const {
  return token < context_->model().info().vocabulary_size ? token : 0;
}

Result<ContinuationRecorder::Drafted> ContinuationRecorder::drafted(std::size_t append,
                                                                    std::uint32_t row) {
  const auto all = context_->logits(append, row);
  if (!all) {
    return fail(all.error());
  }
  const auto logits = all->first(static_cast<std::size_t>(options_.common));
  const auto stats = engine::row_stats(logits);
  if (!stats) {
    return fail(stats.error());
  }
  if (auto ok = sampler_.distribution(logits, top_set_); !ok) {
    return fail(ok.error());
  }
  constexpr std::size_t kMost = std::numeric_limits<std::uint16_t>::max();
  return Drafted{.token = stats->top1,
                 .row = {.entropy = stats->entropy,
                         .top1 = stats->top1_prob,
                         .margin = stats->margin,
                         .top_p = static_cast<std::uint16_t>(std::min(top_set_.size(), kMost)),
                         .match = 0}};
}

// Reads prompt and text into the sequence of the text; gives the first drafted token at every
// position.
Result<std::vector<ContinuationRecorder::Branch>> ContinuationRecorder::read_text(
    std::span<const spec::Token> prompt, std::span<const spec::Token> text,
    const std::function<bool()>& keep_going) {
  std::vector<spec::Token> tokens(prompt.begin(), prompt.end());
  tokens.insert(tokens.end(), text.begin(), text.end() - 1);
  std::transform(tokens.begin(), tokens.end(), tokens.begin(),
                 [this](spec::Token token) { return known(token); });
  engine::Sequence sequence(*context_, kText);
  if (auto ok = sequence.truncate(0); !ok) {
    return fail(ok.error());
  }
  std::span<const spec::Token> rest(tokens);
  if (prompt.size() > 1) {
    if (auto ok = sequence.append(rest.first(prompt.size() - 1), 0); !ok) {
      return fail(ok.error());
    }
    rest = rest.subspan(prompt.size() - 1);
  }
  std::vector<Branch> branches;
  while (!rest.empty()) {
    const std::size_t count = std::min<std::size_t>(rest.size(), context_->options().max_rows);
    if (!keep_going()) {
      return cancelled();
    }
    if (auto ok = sequence.append(rest.first(count), static_cast<std::uint32_t>(count)); !ok) {
      return fail(ok.error());
    }
    for (std::uint32_t row = 0; row < count; ++row) {
      auto first = drafted(0, row);
      if (!first) {
        return fail(first.error());
      }
      branches.emplace_back(1, *first);
    }
    rest = rest.subspan(count);
  }
  return branches;
}

// Drafts on after the first token of each branch, `prefixes` tokens of the text before it, until
// they are as deep as wanted or end their text. At most kBranches.
Result<void> ContinuationRecorder::grow(std::span<Branch*> branches,
                                        std::span<const std::uint32_t> prefixes,
                                        const std::function<bool()>& keep_going) {
  for (std::uint32_t i = 0; i < branches.size(); ++i) {
    if (auto ok = context_->copy_prefix(kText, i + 1, prefixes[i]); !ok) {
      return ok;
    }
  }
  std::vector<engine::Context::Append> batch;
  std::vector<Branch*> growing;
  for (std::uint32_t depth = 1; depth < options_.depth; ++depth) {
    batch.clear();
    growing.clear();
    for (std::uint32_t i = 0; i < branches.size(); ++i) {
      const Drafted& last = branches[i]->back();
      if (!ends_text(last.token)) {
        batch.push_back({.sequence = i + 1, .tokens = {&last.token, 1}, .rows = 1});
        growing.push_back(branches[i]);
      }
    }
    if (batch.empty()) {
      break;
    }
    if (!keep_going()) {
      return cancelled();
    }
    if (auto ok = context_->decode(batch); !ok) {
      return ok;
    }
    for (std::size_t k = 0; k < growing.size(); ++k) {
      const auto next = drafted(k, 0);
      if (!next) {
        return fail(next.error());
      }
      growing[k]->push_back(*next);
    }
  }
  return {};
}

Result<std::vector<sim::TraceToken>> ContinuationRecorder::record(
    std::span<const spec::Token> prompt, std::span<const spec::Token> text,
    const std::function<bool()>& keep_going) {
  auto branches = read_text(prompt, text, keep_going);
  if (!branches) {
    return fail(branches.error());
  }
  const auto matches = [&](std::size_t position, spec::Token token) {
    return position < text.size() && token == text[position];
  };
  std::vector<Branch*> chosen;
  std::vector<std::uint32_t> prefixes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    Branch& branch = (*branches)[i];
    if (i + 1 == text.size() || !matches(i, branch[0].token)) {
      chosen.push_back(&branch);
      prefixes.push_back(static_cast<std::uint32_t>(prompt.size() + i));
    }
  }
  for (std::size_t begin = 0; begin < chosen.size(); begin += kBranches) {
    const std::size_t count = std::min<std::size_t>(kBranches, chosen.size() - begin);
    auto grown = grow(std::span(chosen).subspan(begin, count),
                      std::span(prefixes).subspan(begin, count), keep_going);
    for (std::uint32_t i = 0; i < count; ++i) {  // also after a failure
      if (auto ok = context_->truncate(i + 1, 0); !ok && grown) {
        grown = ok;
      }
    }
    if (!grown) {
      return fail(grown.error());
    }
  }

  const std::size_t depth = options_.depth;
  std::vector<sim::TraceToken> tokens(text.size() * depth);
  for (std::size_t i = text.size(); i-- > 0;) {
    const Branch& branch = (*branches)[i];
    sim::TraceToken* const out = &tokens[i * depth];
    for (std::size_t j = 0; j < branch.size(); ++j) {
      out[j] = branch[j].row;
      out[j].match = matches(i + j, branch[j].token) ? 1 : 0;
    }
    if (i + 1 < text.size() && out[0].match == 1) {
      std::copy_n(out + depth, depth - 1, out + 1);
    }
  }
  return tokens;
}

}  // namespace gelato::cli
