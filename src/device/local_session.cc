#include "gelato/device/local_session.h"

#include <fmt/format.h>

#include <algorithm>

#include "gelato/engine/backend.h"
#include "gelato/engine/model_drafter.h"
#include "gelato/engine/model_verifier.h"

namespace gelato::device {
namespace {

// Rows of one pass: the longest draft and the token after it.
constexpr std::uint32_t kRows = control::kMaxDraftLength + 1;

Result<void> check_truncates(const engine::LanguageModel& model, std::string_view role) {
  if (model.info().can_truncate) {
    return {};
  }
  return fail(
      ErrorCode::kUnsupported,
      fmt::format("{} ({}) keeps a recurrent state that cannot forget rejected draft tokens, "
                  "so it cannot be the {} of speculative decoding; choose an attention model",
                  model.info().path, model.info().architecture, role));
}

}  // namespace

Result<std::unique_ptr<LocalSession>> LocalSession::open(const engine::Backend& backend,
                                                         const Clock& clock,
                                                         const LocalSessionOptions& options) {
  std::unique_ptr<LocalSession> session(new LocalSession(clock));
  if (auto ok = session->load_models(backend, options); !ok) {
    return fail(ok.error());
  }
  if (auto ok = session->make_contexts(options); !ok) {
    return fail(ok.error());
  }
  return session;
}

Result<void> LocalSession::load_models(const engine::Backend& backend,
                                       const LocalSessionOptions& options) {
  const auto load = [&](const std::string& path, std::int32_t gpu_layers) {
    engine::ModelOptions model_options{.gpu_layers = gpu_layers, .progress = {}};
    if (options.progress) {
      model_options.progress = [&](float fraction) { return options.progress(path, fraction); };
    }
    return engine::LanguageModel::load(backend, path, model_options);
  };
  auto target = load(options.target_path, options.target_gpu_layers);
  if (!target) {
    return fail(target.error());
  }
  target_ = std::move(*target);
  if (options.draft_path.empty()) {
    return {};
  }
  auto draft = load(options.draft_path, options.draft_gpu_layers);
  if (!draft) {
    return fail(draft.error());
  }
  draft_ = std::move(*draft);
  for (const auto& [model, role] :
       {std::pair{target_.get(), "target"}, std::pair{draft_.get(), "draft"}}) {
    if (auto ok = check_truncates(*model, role); !ok) {
      return ok;
    }
  }
  auto match = spec::match_vocabularies(target_->vocabulary(), draft_->vocabulary());
  if (!match) {
    return fail(match.error());
  }
  vocabulary_ = *match;
  return {};
}

Result<void> LocalSession::make_contexts(const LocalSessionOptions& options) {
  engine::ContextOptions target{.tokens = options.context_tokens, .max_rows = kRows, .pool = {}};
  target.threads = options.target_threads > 0 ? options.target_threads
                                              : engine::default_threads(target_->info());
  engine::ContextOptions draft = target;
  if (draft_) {
    draft.max_rows = 1;
    draft.tokens = std::min(options.context_tokens, draft_->info().context_length);
    draft.threads = options.draft_threads > 0    ? options.draft_threads
                    : options.target_threads > 0 ? options.target_threads
                                                 : engine::default_threads(draft_->info());
  }
  // The two models take turns; one pool serves both.
  const std::uint32_t threads = draft_ ? std::max(target.threads, draft.threads) : target.threads;
  if (threads > 1) {
    if (auto pool = engine::ThreadPool::create(threads)) {
      target.pool = *pool;
      draft.pool = *pool;
    }
  }
  auto target_context = engine::Context::create(*target_, target);
  if (!target_context) {
    return fail(target_context.error());
  }
  target_context_ = std::move(*target_context);
  if (draft_) {
    auto draft_context = engine::Context::create(*draft_, draft);
    if (!draft_context) {
      return fail(draft_context.error());
    }
    draft_context_ = std::move(*draft_context);
  }
  return {};
}

Result<std::vector<spec::Token>> LocalSession::tokenize(std::string_view prompt, bool chat) const {
  if (!chat) {
    return target_->tokenize(prompt, true, false);
  }
  const auto text = target_->apply_chat_template(prompt);
  return text ? target_->tokenize(*text, true, true) : fail(text.error());
}

Result<GenerationStats> LocalSession::generate(std::span<const spec::Token> prompt,
                                               const GenerateOptions& options,
                                               control::Policy* policy, TokenSink& sink) {
  if (auto ok = engine::check(options.sampler); !ok) {
    return fail(ok.error());
  }
  engine::ModelVerifier verifier(*target_context_, options.sampler, options.seed);
  RoundLoop loop(verifier, *clock_,
                 {.max_tokens = options.max_tokens,
                  .context_tokens = target_context_->capacity(),
                  .end_of_generation = target_->vocabulary().end_of_generation,
                  .energy = options.energy});
  if (policy == nullptr) {
    return loop.run(prompt, sink);
  }
  if (!draft_) {
    return fail(ErrorCode::kInvalidArgument,
                "a speculation policy needs a draft model; name one with --model-draft");
  }
  engine::ModelDrafter drafter(*draft_context_, options.sampler, vocabulary_.common, options.seed);
  PacedDrafter paced(drafter, options.pace, *clock_);
  loop.speculate(paced, *policy);
  return loop.run(prompt, sink);
}

Seconds LocalSession::decode_time() const {
  return target_context_->decode_time() +
         (draft_context_ ? draft_context_->decode_time() : Seconds());
}

}  // namespace gelato::device
