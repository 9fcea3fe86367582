// The rules of a trace that its types do not express.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "gelato/control/policy.h"
#include "gelato/sim/trace_file.h"

namespace gelato::sim {
namespace {

template <class... Args>
tl::unexpected<Error> breaks(fmt::format_string<Args...> text, Args&&... args) {
  return fail(ErrorCode::kCorrupt, fmt::format(text, std::forward<Args>(args)...));
}

// ln 2^32, rounded up: no vocabulary has more.
constexpr float kMaxEntropy = 23.0F;

bool is_time(Seconds time) { return std::isfinite(time.value()) && time >= Seconds(0); }
bool is_probability(float x) { return x >= 0.0F && x <= 1.0F; }

bool fits(const std::string& text) { return text.size() <= kMaxTraceText; }

Result<void> check_head(const DraftTrace& trace) {
  if (!fits(trace.version) || !fits(trace.machine) || !fits(trace.target) || !fits(trace.draft) ||
      !fits(trace.source)) {
    return breaks("a text in its head is longer than {} bytes", kMaxTraceText);
  }
  if (trace.depth < 1 || trace.depth > control::kMaxDraftLength) {
    return breaks("its depth is {}, not 1 to {}", trace.depth, control::kMaxDraftLength);
  }
  if (!(trace.top_p > 0.0 && trace.top_p <= 1.0)) {
    return breaks("its top_p is not above 0 and at most 1");
  }
  if (trace.verify.size() != trace.depth + std::size_t{1} || !is_time(trace.draft_token) ||
      !std::all_of(trace.verify.begin(), trace.verify.end(), is_time)) {
    return breaks("its times are not {} finite times", trace.depth + 2);
  }
  return {};
}

Result<void> check_prompts(const DraftTrace& trace) {
  std::uint64_t first = 0;
  for (const TracePrompt& prompt : trace.prompts) {
    if (!fits(prompt.id) || !fits(prompt.set)) {
      return breaks("a prompt's name is longer than {} bytes", kMaxTraceText);
    }
    if (prompt.first != first || prompt.positions == 0) {
      return breaks("the prompt {} has no positions, or not where the prompt before it ends",
                    prompt.id);
    }
    first += prompt.positions;
  }
  if (first == 0 || first != trace.positions() ||
      trace.tokens.size() != trace.positions() * trace.depth) {
    return breaks("its prompts have {} positions, its columns {}", first, trace.positions());
  }
  return {};
}

bool is_row(const TraceToken& token) {
  if (token.top_p == 0) {
    return token == TraceToken{};
  }
  return token.entropy >= 0.0F && token.entropy <= kMaxEntropy && is_probability(token.top1) &&
         is_probability(token.margin) && token.match <= 1;
}

// Whether one continuation keeps the rules; `left`: positions to the end of the prompt's text.
bool is_continuation(std::span<const TraceToken> drafts, std::size_t left) {
  bool over = false;
  for (std::size_t i = 0; i < drafts.size(); ++i) {
    const TraceToken& token = drafts[i];
    if (!is_row(token) || (over && token.top_p != 0) || (i >= left && token.match != 0)) {
      return false;
    }
    over = token.top_p == 0;
  }
  return true;
}

}  // namespace

Result<void> check_trace(const DraftTrace& trace) {
  if (auto ok = check_head(trace); !ok) {
    return ok;
  }
  if (auto ok = check_prompts(trace); !ok) {
    return ok;
  }
  for (const TracePrompt& prompt : trace.prompts) {
    for (std::size_t i = 0; i < prompt.positions; ++i) {
      const std::size_t position = prompt.first + i;
      const spec::Token token = trace.target_tokens[position];
      if (token < 0 || static_cast<std::uint32_t>(token) >= trace.vocabulary ||
          !is_continuation(trace.drafts(position), prompt.positions - i)) {
        return breaks("position {} holds a number out of its range", position);
      }
    }
  }
  return {};
}

}  // namespace gelato::sim
