#include "gelato/text_match.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "gelato/engine/context.h"
#include "gelato/engine/model_verifier.h"

namespace gelato::cli {
namespace {

// Between the two largest logits after `text`.
Result<float> logit_gap(const engine::LanguageModel& target, std::span<const spec::Token> text) {
  const auto context =
      engine::Context::create(target, {.tokens = static_cast<std::uint32_t>(text.size()),
                                       .max_rows = 1,
                                       .threads = engine::default_threads(target.info()),
                                       .pool = {}});
  if (!context) {
    return fail(context.error());
  }
  engine::Sequence sequence(**context, 0);
  if (auto ok = sequence.append(text, 1); !ok) {
    return fail(ok.error());
  }
  const auto row = sequence.logits(0);
  if (!row) {
    return fail(row.error());
  }
  float first = -std::numeric_limits<float>::infinity();
  float second = first;
  for (const float logit : *row) {
    second = std::max(second, std::min(first, logit));
    first = std::max(first, logit);
  }
  return first - second;
}

}  // namespace

std::string_view to_string(Agreement agreement) {
  switch (agreement) {
    case Agreement::kIdentical:
      return "identical";
    case Agreement::kNearTie:
      return "near_tie";
    case Agreement::kDifferent:
      return "different";
  }
  return "different";
}

Result<TextMatch> match_greedy(const engine::LanguageModel& target,
                               std::span<const spec::Token> prompt,
                               std::span<const spec::Token> alone,
                               std::span<const spec::Token> other) {
  if (std::equal(alone.begin(), alone.end(), other.begin(), other.end())) {
    return TextMatch{};
  }
  const auto [at, unused] = std::mismatch(alone.begin(), alone.end(), other.begin(), other.end());
  TextMatch match{.position = static_cast<std::size_t>(at - alone.begin())};
  std::vector<spec::Token> text(prompt.begin(), prompt.end());
  text.insert(text.end(), alone.begin(), at);
  const auto gap = logit_gap(target, text);
  if (!gap) {
    return fail(gap.error());
  }
  match.logit_gap = *gap;
  match.agreement = *gap < engine::kLogitTolerance ? Agreement::kNearTie : Agreement::kDifferent;
  return match;
}

}  // namespace gelato::cli
