#include "gelato/pass_timing.h"

#include <algorithm>
#include <memory>

#include "gelato/engine/row_stats.h"

namespace gelato::cli {
namespace {

// An odd number, so that the median is a measured time; after this many it moves by a few percent.
constexpr std::uint32_t kRounds = 15;

// One model after the prompt.
class TimedModel {
 public:
  static Result<TimedModel> create(const engine::LanguageModel& model,
                                   std::span<const spec::Token> prompt, std::uint32_t rows,
                                   std::uint32_t threads, const Clock& clock) {
    auto context =
        engine::Context::create(model, {.tokens = static_cast<std::uint32_t>(prompt.size()) + rows,
                                        .max_rows = rows,
                                        .threads = threads,
                                        .pool = {}});
    if (!context) {
      return fail(context.error());
    }
    TimedModel timed(std::move(*context), clock);
    if (auto ok = timed.sequence_.append(prompt, 0); !ok) {
      return fail(ok.error());
    }
    timed.length_ = timed.sequence_.length();
    return timed;
  }

  // Time of one pass over `tokens` with a row for each.
  Result<Seconds> pass(std::span<const spec::Token> tokens) {
    const Seconds begin = clock_->now();
    if (auto ok = sequence_.append(tokens, static_cast<std::uint32_t>(tokens.size())); !ok) {
      return fail(ok.error());
    }
    for (std::uint32_t row = 0; row < tokens.size(); ++row) {
      const auto logits = sequence_.logits(row);
      const auto stats = logits ? engine::row_stats(*logits) : fail(logits.error());
      if (!stats) {
        return fail(stats.error());
      }
    }
    const Seconds time = clock_->now() - begin;
    const auto ok = sequence_.truncate(length_);
    return ok ? Result<Seconds>(time) : fail(ok.error());
  }

 private:
  TimedModel(std::unique_ptr<engine::Context> context, const Clock& clock)
      : context_(std::move(context)), sequence_(*context_, 0), clock_(&clock) {}

  std::unique_ptr<engine::Context> context_;
  engine::Sequence sequence_;
  const Clock* clock_;
  std::uint32_t length_ = 0;
};

Seconds median(std::vector<Seconds>& times) {
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

}  // namespace

Result<PassTiming> time_passes(const engine::LanguageModel& target,
                               const engine::LanguageModel& draft,
                               std::span<const spec::Token> prompt, std::uint32_t depth,
                               std::uint32_t target_threads, std::uint32_t draft_threads,
                               const Clock& clock) {
  auto verifier = TimedModel::create(target, prompt, depth + 1, target_threads, clock);
  auto drafter = TimedModel::create(draft, prompt, 1, draft_threads, clock);
  if (!verifier || !drafter) {
    return fail(verifier ? drafter.error() : verifier.error());
  }
  const std::vector<spec::Token> tokens(depth + std::size_t{1}, prompt.back());
  std::vector<Seconds> drafting;
  std::vector<std::vector<Seconds>> verifying(tokens.size());
  for (std::uint32_t round = 0; round < kRounds; ++round) {
    for (std::size_t n = 0; n < tokens.size(); ++n) {
      const auto drafted = drafter->pass(std::span(tokens).first(1));
      const auto verified = verifier->pass(std::span(tokens).first(n + 1));
      if (!drafted || !verified) {
        return fail(drafted ? verified.error() : drafted.error());
      }
      drafting.push_back(*drafted);
      verifying[n].push_back(*verified);
    }
  }
  PassTiming timing{.draft_token = median(drafting), .verify = {}};
  for (std::vector<Seconds>& times : verifying) {
    timing.verify.push_back(median(times));
  }
  return timing;
}

}  // namespace gelato::cli
