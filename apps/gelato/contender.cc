#include "gelato/contender.h"

#include <utility>

namespace gelato::cli {
namespace {

// Null for the target alone.
Result<std::unique_ptr<control::Policy>> policy_of(const std::string& text) {
  if (text.empty()) {
    return nullptr;
  }
  return control::make_policy(text);
}

}  // namespace

Result<std::unique_ptr<LocalContender>> LocalContender::create(device::LocalSession& session,
                                                               std::string policy,
                                                               std::string label,
                                                               std::uint64_t max_tokens) {
  if (const auto made = policy_of(policy); !made) {
    return fail(made.error());
  }
  return std::unique_ptr<LocalContender>(
      new LocalContender(session, std::move(policy), std::move(label), max_tokens));
}

LocalContender::LocalContender(device::LocalSession& session, std::string policy, std::string label,
                               std::uint64_t max_tokens)
    : session_(&session),
      policy_(std::move(policy)),
      label_(std::move(label)),
      max_tokens_(max_tokens) {}

Result<Generation> LocalContender::generate(const std::string& prompt) {
  TextSink sink(session_->target());
  return generate(prompt, sink);
}

Result<Generation> LocalContender::generate(const std::string& prompt, TextSink& sink) {
  const auto tokens = session_->tokenize(prompt, false);
  if (!tokens) {
    return fail(tokens.error());
  }
  const auto policy =
      policy_of(policy_);  // a policy object learns; each text begins with a new one
  if (!policy) {
    return fail(policy.error());
  }
  const Seconds decode_before = session_->decode_time();
  const auto stats = session_->generate(
      *tokens, {.sampler = {}, .seed = 0, .max_tokens = max_tokens_}, policy->get(), sink);
  sink.finish();
  if (!stats) {
    return fail(stats.error());
  }
  return Generation{.cost = measurement_of(*stats, session_->decode_time() - decode_before),
                    .text = sink.text(),
                    .tokens = sink.tokens()};
}

}  // namespace gelato::cli
