#include "gelato/device/remote_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <utility>

#include "gelato/engine/model_drafter.h"

namespace gelato::device {
namespace {

proto::Sampling sampling_of(const engine::SamplerParams& params) {
  return {.temperature = params.temperature,
          .top_k = params.top_k,
          .top_p = params.top_p,
          .min_p = params.min_p};
}

// Devices must not all come back at the same moment, whatever seed their users chose.
Rng jitter() {
  std::random_device entropy;
  return {(static_cast<std::uint64_t>(entropy()) << 32U) | entropy(), "reconnect"};
}

}  // namespace

RemoteSession::RemoteSession(const Clock& clock, Log& log, RemoteSessionOptions options)
    : clock_(&clock), log_(&log), grpc_log_(log), options_(std::move(options)) {}

RemoteSession::~RemoteSession() = default;

Result<std::unique_ptr<RemoteSession>> RemoteSession::open(const engine::Backend& backend,
                                                           const Clock& clock, Log& log,
                                                           RemoteSessionOptions options) {
  std::unique_ptr<RemoteSession> session(new RemoteSession(clock, log, std::move(options)));
  if (auto ok = session->contact(); !ok) {
    return fail(ok.error());
  }
  if (auto ok = session->load(backend); !ok) {
    return fail(ok.error());
  }
  if (auto ok = session->match(); !ok) {
    return fail(ok.error());
  }
  return session;
}

// Everything goes through a relay: it counts what is on the wire.
Result<void> RemoteSession::contact() {
  EdgeAddress address = options_.edge;
  if (auto ok = check(address); !ok) {
    return ok;
  }
  options_.remote.name = address.endpoint;
  auto relay = LinkRelay::start({.edge = address.endpoint, .link = options_.link}, *clock_);
  if (!relay) {
    return fail(relay.error());
  }
  relay_ = std::move(*relay);
  address.authority = std::exchange(address.endpoint, relay_->endpoint());
  auto transport = GrpcTransport::create(address, options_.remote.interrupted);
  if (!transport) {
    return fail(transport.error());
  }
  transport_ = std::move(*transport);
  auto info = transport_->info(options_.first_contact);
  if (!info) {
    return fail(info.error().code,
                relay_->failure().empty()
                    ? fmt::format("edge {}: {}", options_.remote.name, info.error().message)
                    : fmt::format("{}; is `gelato edge` running there?", relay_->failure()));
  }
  info_ = std::move(*info);
  return {};
}

Result<void> RemoteSession::load(const engine::Backend& backend) {
  auto draft = engine::LanguageModel::load(
      backend, options_.draft_path,
      {.gpu_layers = options_.gpu_layers, .progress = options_.progress});
  if (!draft) {
    return fail(draft.error());
  }
  draft_ = std::move(*draft);
  if (!draft_->info().can_truncate) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("{} ({}) keeps a recurrent state that cannot forget rejected draft "
                            "tokens, so it cannot be the draft of speculative decoding; choose an "
                            "attention model",
                            draft_->info().path, draft_->info().architecture));
  }
  const std::uint32_t wanted =
      options_.context_tokens > 0 ? options_.context_tokens : info_.limits.context_tokens;
  engine::ContextOptions context{.max_rows = 1, .pool = {}};
  context.tokens = std::min(wanted, draft_->info().context_length);
  context.threads =
      options_.threads > 0 ? options_.threads : engine::default_threads(draft_->info());
  auto made = engine::Context::create(*draft_, context);
  if (!made) {
    return fail(made.error());
  }
  context_ = std::move(*made);
  return {};
}

// What can be seen from here; the edge compares the rest when a session is opened.
Result<void> RemoteSession::match() {
  const spec::Token ours = draft_->info().vocabulary_size;
  const spec::Token theirs = info_.model.n_vocab;
  common_ = std::min(ours, theirs);
  const bool differs = ours == theirs && spec::fingerprint(draft_->vocabulary()) !=
                                             info_.model.vocabulary_fingerprint;
  if (differs || std::max(ours, theirs) - common_ > spec::kMaxPadding) {
    return fail(
        ErrorCode::kUnsupported,
        fmt::format("{} has {} tokens and {} at edge {} has {}, and they are not the same; "
                    "use a draft model of the target's own family, with the same tokenizer",
                    draft_->info().path, ours, info_.model.name, options_.remote.name, theirs));
  }
  return {};
}

Result<std::vector<spec::Token>> RemoteSession::tokenize(std::string_view text, bool chat) const {
  return draft_->tokenize(text, true, chat);
}

proto::WireMode RemoteSession::mode(double temperature) const {
  return options_.mode.value_or(temperature <= 0.0 ? proto::WireMode::kIds
                                                   : proto::WireMode::kQRow);
}

EdgeTerms RemoteSession::terms(const GenerateOptions& options) const {
  return {.model_fingerprint = info_.model.fingerprint,
          .n_vocab = info_.model.n_vocab,
          .common_vocab = common_,
          .vocabulary_fingerprint = spec::fingerprint(draft_->vocabulary(), common_),
          .mode = mode(options.sampler.temperature),
          .sampling = sampling_of(options.sampler),
          .seed = options.seed,
          .rows = {.n_vocab = info_.model.n_vocab}};
}

// A verifier for these options; the one there is, if it is for the same.
void RemoteSession::prepare(const GenerateOptions& options) {
  const EdgeTerms wanted = terms(options);
  if (verifier_ && verifier_->terms() == wanted) {
    return;
  }
  close();
  verifier_ = std::make_unique<RemoteVerifier>(*transport_, *clock_, *log_, jitter(), wanted,
                                               options_.remote);
}

Result<GenerationStats> RemoteSession::generate(std::span<const spec::Token> prompt,
                                                const GenerateOptions& options,
                                                control::Policy& policy, TokenSink& sink) {
  if (auto ok = engine::check(options.sampler); !ok) {
    return fail(ok.error());
  }
  const proto::WireMode how = mode(options.sampler.temperature);
  if (options.sampler.greedy() != (how == proto::WireMode::kIds)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("wire mode {} is for {}, but the temperature is {}", to_string(how),
                            how == proto::WireMode::kIds ? "temperature 0" : "sampling",
                            options.sampler.temperature));
  }
  if (prompt.size() >= info_.limits.context_tokens) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("the prompt has {} tokens, but a session of edge {} must hold it and "
                            "at least one more in {}; shorten the prompt",
                            prompt.size(), options_.remote.name, info_.limits.context_tokens));
  }
  prepare(options);
  std::optional<spec::DistCodec> codec;
  if (how == proto::WireMode::kQRow) {
    auto made = spec::DistCodec::create(verifier_->terms().rows);
    if (!made) {
      return fail(made.error());
    }
    codec = *made;
  }
  engine::ModelDrafter drafter(*context_, options.sampler, common_, options.seed, codec);
  RoundLoop loop(*verifier_, *clock_,
                 {.max_tokens = options.max_tokens,
                  // The edge counts the newest token, which the loop does not.
                  .context_tokens = info_.limits.context_tokens - 1,
                  .max_draft = std::min(info_.limits.max_draft, control::kMaxDraftLength),
                  .end_of_generation = info_.model.end_of_generation,
                  .greedy = options.sampler.greedy(),
                  .draft_when_away = options_.remote.when_offline == WhenOffline::kDraft,
                  .energy = options.energy,
                  .costs = &costs_});
  PacedDrafter paced(drafter, options.pace, *clock_);
  loop.speculate(paced, policy);
  if (options.energy != nullptr) {
    options.energy->watch([this] { return link_use(); });
  }
  auto stats = loop.run(prompt, sink);
  if (options.energy != nullptr) {
    options.energy->watch({});
  }
  return stats;
}

// The rates of an emulated link are known. Of a real one only the uplink's can be learnt, once
// rounds differ in size; the downlink is then taken to be as fast, which overstates receiving.
EnergyAccount::LinkUse RemoteSession::link_use() const {
  const WireBytes wire = relay_->wire();
  EnergyAccount::LinkUse use{.sent = bytes(static_cast<double>(wire.up)),
                             .received = bytes(static_cast<double>(wire.down)),
                             .uplink = {},
                             .downlink = {}};
  if (options_.link) {
    use.uplink = options_.link->rate(link::Direction::kUp, clock_->now());
    use.downlink = options_.link->rate(link::Direction::kDown, clock_->now());
  } else if (verifier_) {
    use.uplink = verifier_->link().uplink.value;
    use.downlink = use.uplink;
  }
  return use;
}

std::optional<proto::Closed> RemoteSession::close() {
  if (!verifier_) {
    return std::nullopt;
  }
  auto account = verifier_->close();
  before_ += verifier_->stats();
  verifier_.reset();
  return account;
}

RemoteUsage RemoteSession::usage() const {
  RemoteUsage usage{
      .edge = before_, .messages = transport_->traffic(), .wire = relay_->wire(), .link = {}};
  if (verifier_) {
    usage.edge += verifier_->stats();
    usage.link = verifier_->link();
  }
  return usage;
}

}  // namespace gelato::device
