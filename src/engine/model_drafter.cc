#include "gelato/engine/model_drafter.h"

#include <algorithm>
#include <utility>

#include "gelato/engine/row_stats.h"

namespace gelato::engine {

ModelDrafter::ModelDrafter(Context& context, const SamplerParams& params, spec::Token common,
                           std::uint64_t seed, std::optional<spec::DistCodec> codec)
    : sequence_(context, 0),
      sampler_(params),
      rng_(seed, "draft"),
      common_(common),
      codec_(std::move(codec)) {}

Result<void> ModelDrafter::start(std::span<const spec::Token> prompt) {
  // Room for the longest text now, so that the rounds do not allocate.
  text_.reserve(std::max<std::size_t>(sequence_.context().capacity(), prompt.size()) + 1);
  text_.clear();
  for (const spec::Token token : prompt) {
    push(token);
  }
  committed_ = text_.size();
  if (auto ok = sequence_.truncate(0); !ok) {
    return ok;
  }
  if (text_.size() > sequence_.context().capacity()) {
    return {};
  }
  return text_.size() < 2 ? Result<void>{} : sequence_.append({text_.data(), text_.size() - 1}, 0);
}

// A token that only the target knows stands in the text as token 0: the proposals after it may be
// poorer, the text is not affected.
void ModelDrafter::push(spec::Token token) {
  const spec::Token known = sequence_.context().model().info().vocabulary_size;
  text_.push_back(token < known ? token : 0);
}

Result<std::optional<spec::RowStats>> ModelDrafter::draft_one(spec::Draft& draft, float min_top1) {
  if (text_.size() > sequence_.context().capacity()) {
    return std::nullopt;
  }
  const std::size_t cached = sequence_.length();
  if (auto ok = sequence_.append(std::span(text_).subspan(cached), 1); !ok) {
    return fail(ok.error());
  }
  const auto all = sequence_.logits(0);
  if (!all) {
    return fail(all.error());
  }
  const auto logits = all->first(static_cast<std::size_t>(common_));
  const auto stats = row_stats(logits);
  if (!stats) {
    return fail(stats.error());
  }
  if (stats->top1_prob < min_top1) {
    return std::nullopt;
  }
  spec::Token token = stats->top1;
  if (!sampler_.params().greedy()) {
    if (auto ok = sampler_.distribution(logits, row_); !ok) {
      return fail(ok.error());
    }
    if (codec_) {
      codec_->quantise(row_);
    }
    token = row_.sample(rng_.uniform());
  }
  std::swap(draft.push(token), row_);  // both keep their storage for the next use
  push(token);
  return *stats;
}

Result<void> ModelDrafter::commit(std::uint32_t accepted, spec::Token next) {
  const std::size_t kept = committed_ + accepted;
  text_.resize(kept);
  push(next);
  committed_ = text_.size();
  return sequence_.length() > kept ? sequence_.truncate(static_cast<std::uint32_t>(kept))
                                   : Result<void>{};
}

}  // namespace gelato::engine
