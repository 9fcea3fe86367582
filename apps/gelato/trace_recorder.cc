#include "gelato/trace_recorder.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace gelato::cli {
namespace {

// Texts that the target writes in one batch.
constexpr std::uint32_t kTexts = 8;

// What is left of `window` tokens after `used`; 0: nothing.
std::uint32_t room(std::uint32_t window, std::size_t used) {
  return used < window ? window - static_cast<std::uint32_t>(used) : 0;
}

}  // namespace

Result<TraceRecorder> TraceRecorder::create(const engine::LanguageModel& target,
                                            const engine::LanguageModel& draft,
                                            std::vector<TracePromptTokens> prompts,
                                            const TraceRecorderOptions& options) {
  const std::uint32_t draft_window = draft.info().context_length;
  std::vector<std::uint32_t> limits;
  std::uint32_t window = 0;
  for (const TracePromptTokens& prompt : prompts) {
    const std::uint32_t limit =
        std::min({options.predict, room(options.context_tokens, prompt.tokens.size()),
                  room(draft_window, prompt.tokens.size() + options.depth)});
    if (limit == 0) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("the prompt {} has {} tokens: with a text and {} drafted tokens it "
                              "does not fit contexts of {} and {} tokens; shorten it",
                              prompt.id, prompt.tokens.size(), options.depth,
                              options.context_tokens, draft_window));
    }
    limits.push_back(limit);
    window = std::max(window, static_cast<std::uint32_t>(prompt.tokens.size()) + limit);
  }
  auto writer = GreedyWriter::create(target, kTexts, window, options.target_threads);
  if (!writer) {
    return fail(writer.error());
  }
  auto continuations = ContinuationRecorder::create(
      draft, {.depth = options.depth,
              .top_p = options.top_p,
              .window = window,
              .threads = options.draft_threads,
              .common = options.common,
              .end_of_generation = target.vocabulary().end_of_generation});
  if (!continuations) {
    return fail(continuations.error());
  }
  TraceRecorder recorder(std::move(*writer), std::move(*continuations));
  recorder.prompts_ = std::move(prompts);
  recorder.limits_ = std::move(limits);
  return recorder;
}

Result<void> TraceRecorder::check_begun(const sim::DraftTrace& trace) const {
  bool same = trace.prompts.size() <= prompts_.size();
  for (std::size_t i = 0; same && i < trace.prompts.size(); ++i) {
    const sim::TracePrompt& done = trace.prompts[i];
    same = done.id == prompts_[i].id && done.set == prompts_[i].set &&
           done.prompt_tokens == prompts_[i].tokens.size() &&
           (done.ended ? done.positions <= limits_[i] : done.positions == limits_[i]);
  }
  return same ? Result<void>{}
              : fail(ErrorCode::kInvalidArgument, "its prompts or their lengths are others");
}

Result<void> TraceRecorder::add_next(sim::DraftTrace& trace,
                                     const std::function<bool()>& keep_going) {
  const std::size_t begin = trace.prompts.size();
  const std::size_t end = std::min<std::size_t>(begin + kTexts, prompts_.size());
  std::vector<GreedyWriter::Task> tasks;
  for (std::size_t i = begin; i < end; ++i) {
    tasks.push_back({.prompt = prompts_[i].tokens, .limit = limits_[i]});
  }
  const auto texts = writer_.write(tasks, keep_going);
  if (!texts) {
    return fail(texts.error());
  }
  std::vector<std::vector<sim::TraceToken>> tokens;
  for (std::size_t i = begin; i < end; ++i) {
    auto recorded =
        continuations_.record(prompts_[i].tokens, (*texts)[i - begin].tokens, keep_going);
    if (!recorded) {
      return fail(recorded.error());
    }
    tokens.push_back(std::move(*recorded));
  }
  for (std::size_t i = begin; i < end; ++i) {
    const GreedyText& text = (*texts)[i - begin];
    trace.prompts.push_back({.id = prompts_[i].id,
                             .set = prompts_[i].set,
                             .prompt_tokens = static_cast<std::uint32_t>(prompts_[i].tokens.size()),
                             .first = static_cast<std::uint32_t>(trace.positions()),
                             .positions = static_cast<std::uint32_t>(text.tokens.size()),
                             .ended = text.ended});
    trace.target_tokens.insert(trace.target_tokens.end(), text.tokens.begin(), text.tokens.end());
    trace.tokens.insert(trace.tokens.end(), tokens[i - begin].begin(), tokens[i - begin].end());
  }
  return {};
}

}  // namespace gelato::cli
