#include "tests/support/toy_edge.h"

#include <algorithm>
#include <utility>

#include "gelato/base/rng.h"
#include "gelato/proto/row_code.h"
#include "gelato/spec/verify.h"

namespace gelato::device {
namespace {

// What a message would take on the wire, about.
constexpr std::uint64_t kBytesPerMessage = 20;
constexpr std::uint64_t kBytesPerToken = 2;

}  // namespace

void ToyEdge::restart() {
  sessions_.clear();
  if (stream_) {
    stream_->error = proto::from_status(14, "connection reset");
    stream_->answers.clear();
  }
}

std::vector<proto::Open> ToyEdge::opens() const {
  std::vector<proto::Open> opens;
  for (const proto::DeviceMessage& message : messages_) {
    if (const auto* open = std::get_if<proto::Open>(&message)) {
      opens.push_back(*open);
    }
  }
  return opens;
}

void ToyEdge::pause(Seconds time) {
  clock_.advance(time);
  paused_ += time;
}

void ToyEdge::open(const proto::Open& open) {
  stream_ = Stream{};
  stream_->terms = open;
  send(open);
}

void ToyEdge::send(const proto::DeviceMessage& message) {
  if (!stream_ || stream_->error || stream_->silent) {
    return;
  }
  messages_.push_back(message);
  traffic_.up_bytes += kBytesPerMessage;
  if (const auto* draft = std::get_if<proto::Draft>(&message)) {
    traffic_.up_bytes += kBytesPerToken * draft->draft.size();
  }
  const Fault what = clock_.now() < unreachable_until ? Fault::kLoseMessage : fault(message);
  if (what == Fault::kSilence) {
    stream_->silent = true;
    return;
  }
  if (what != Fault::kLoseMessage) {
    handle(message);
  }
  if (what != Fault::kNone) {
    stream_->answers.clear();
    stream_->error = proto::from_status(14, "connection reset");
  }
}

proto::WireResult<std::optional<proto::EdgeMessage>> ToyEdge::receive(Seconds wait) {
  if (!stream_) {
    return proto::refuse(proto::ErrorKind::kUnexpected, "there is no stream");
  }
  if (!stream_->answers.empty()) {
    const auto& [at, message] = stream_->answers.front();
    if (at > clock_.now() + wait) {
      clock_.advance(wait);
      return std::nullopt;
    }
    clock_.advance(std::max(at - clock_.now(), Seconds(0)));
    proto::EdgeMessage out = message;
    stream_->answers.pop_front();
    traffic_.down_bytes += kBytesPerMessage;
    return out;
  }
  if (stream_->error) {
    auto error = *stream_->error;
    stream_.reset();
    return proto::refuse(std::move(error));
  }
  clock_.advance(wait);
  return std::nullopt;
}

void ToyEdge::answer(proto::EdgeMessage message) {
  if (rewrite) {
    rewrite(message);
  }
  stream_->answers.emplace_back(clock_.now() + round_trip_, std::move(message));
}

void ToyEdge::fail(proto::ErrorKind kind, std::string message) {
  stream_->error = proto::WireError{kind, std::move(message), {}};
}

void ToyEdge::handle(const proto::DeviceMessage& message) {
  if (const auto* open = std::get_if<proto::Open>(&message)) {
    on_open(*open);
    return;
  }
  const auto found = sessions_.find(stream_->session);
  if (found == sessions_.end()) {
    return;  // the stream has failed
  }
  if (const auto* draft = std::get_if<proto::Draft>(&message)) {
    on_draft(*draft, found->second);
  } else if (const auto* burst = std::get_if<proto::Burst>(&message)) {
    on_burst(*burst, found->second);
  } else if (std::holds_alternative<proto::Cancel>(message)) {
    stream_->answers.clear();
    answer(proto::Tokens{.number = stream_->requests,
                         .tokens = {},
                         .end = proto::BurstEnd::kCancelled,
                         .timing = {}});
  } else {
    stream_->answers.clear();
    answer(proto::Closed{.committed = static_cast<std::uint32_t>(found->second.text.size()),
                         .busy = {}});
    sessions_.erase(found);
  }
}

void ToyEdge::on_open(const proto::Open& open) {
  if (refusal) {
    stream_->error = refusal;
    return;
  }
  std::uint32_t reused = 0;
  if (open.resume) {
    const auto found = sessions_.find(open.resume->session);
    if (found == sessions_.end() || found->second.text.size() < open.resume->count ||
        proto::text_hash(std::span(found->second.text).first(open.resume->count)) !=
            open.resume->hash) {
      fail(proto::ErrorKind::kUnknownSession, "there is no such session");
      return;
    }
    stream_->session = found->first;
    reused = open.resume->count;
    found->second.text.resize(reused);
    found->second.row.reset();
  } else {
    stream_->session[0] = ++next_id_;
  }
  Session& session = sessions_[stream_->session];
  session.text.insert(session.text.end(), open.tokens.begin(), open.tokens.end());
  answer(proto::Opened{.session = stream_->session,
                       .committed = static_cast<std::uint32_t>(session.text.size()),
                       .reused = reused,
                       .limits = {.context_tokens = context_tokens, .lease = {}},
                       .timing = {}});
}

// Whether a request is to be decided: it is not stale, and stands where it must. Counts it and
// commits the token that it brings.
bool ToyEdge::place(const proto::Place& place, Session& session) {
  most_in_flight_ = std::max(most_in_flight_, stream_->answers.size() + 1);
  if (place.after > stream_->requests++ || place.after < stream_->after) {
    fail(proto::ErrorKind::kPosition, "written after an answer that was not given");
    return false;
  }
  stream_->after = place.after;
  if (place.after < stream_->broken) {
    ++stale_;
    answer(proto::Stale{.number = stream_->requests});
    return false;
  }
  if (place.drawn.has_value() != session.row.has_value()) {
    fail(proto::ErrorKind::kUnexpected, "not the request that can come now");
    return false;
  }
  if (place.drawn) {
    if (session.row->prob(*place.drawn) <= 0.0) {
      fail(proto::ErrorKind::kRow, "the drawn token has no probability");
      return false;
    }
    session.text.push_back(*place.drawn);
    session.row.reset();
  }
  if (place.base != session.text.size()) {
    fail(proto::ErrorKind::kPosition, "another place of the text");
    return false;
  }
  return true;
}

// cf. arXiv 2507.12000: tests with the scalar q, and sends the row p down on a rejection.
proto::Verdict ToyEdge::decide_dssd(const proto::Draft& draft, Session& session) {
  Rng uniforms(stream_->terms.seed, stream_id("verify"), 2 * session.text.size() + uniforms_off_by);
  proto::Verdict verdict{.number = stream_->requests, .next = {}, .row = {}, .timing = {}};
  for (const spec::Token token : draft.draft.tokens()) {
    const spec::SparseDist& p = model_.row(session.text);
    if (!spec::accept_token(p.prob(token) > 0.0 ? proto::rounded_prob(p, token) : 0.0,
                            draft.q[verdict.accepted], uniforms.uniform())) {
      proto::encode_row(p, model_.n_vocab(), verdict.row);
      session.row = p;
      return verdict;
    }
    session.text.push_back(token);
    ++verdict.accepted;
  }
  if (!draft.no_bonus) {
    verdict.next = model_.row(session.text).sample(uniforms.uniform());
    session.text.push_back(*verdict.next);
  }
  return verdict;
}

void ToyEdge::on_draft(const proto::Draft& draft, Session& session) {
  if (!place(draft.place, session)) {
    return;
  }
  if (stream_->terms.mode == proto::WireMode::kDssd) {
    proto::Verdict verdict = decide_dssd(draft, session);
    const bool goes_on = !verdict.next && verdict.row.empty();
    stream_->broken = goes_on ? stream_->broken : stream_->requests;
    answer(std::move(verdict));
    return;
  }
  std::vector<spec::SparseDist> rows;
  std::vector<spec::Token> best;
  std::vector<spec::Token> text = session.text;
  for (std::size_t i = 0; i <= draft.draft.size(); ++i) {
    rows.push_back(model_.row(text));
    best.push_back(rows.back().argmax());
    if (i < draft.draft.size()) {
      text.push_back(draft.draft.tokens()[i]);
    }
  }
  Rng uniforms(stream_->terms.seed, stream_id("verify"), 2 * session.text.size() + uniforms_off_by);
  const auto verdict =
      stream_->terms.mode == proto::WireMode::kIds
          ? spec::verify_greedy(draft.draft.tokens(), best)
          : spec::verify_sampling(draft.draft.tokens(), draft.draft.rows(), rows, uniforms);
  session.text.insert(session.text.end(), draft.draft.tokens().begin(),
                      draft.draft.tokens().begin() + verdict.accepted);
  const bool goes_on = draft.no_bonus && verdict.accepted == draft.draft.size();
  if (!goes_on) {
    session.text.push_back(verdict.next);
    stream_->broken = stream_->requests;
  }
  answer(proto::Verdict{.number = stream_->requests,
                        .accepted = verdict.accepted,
                        .next = goes_on ? std::nullopt : std::optional(verdict.next),
                        .row = {},
                        .timing = {.queue = {},
                                   .verify = Seconds(0.002),
                                   .sessions = 2,
                                   .other_tokens = 4,
                                   .other_sessions = 2}});
}

spec::Token ToyEdge::write_one(const Session& session) const {
  const spec::SparseDist& row = model_.row(session.text);
  if (stream_->terms.mode == proto::WireMode::kIds) {
    return row.argmax();
  }
  Rng uniforms(stream_->terms.seed, stream_id("verify"), 2 * session.text.size() + uniforms_off_by);
  return row.sample(uniforms.uniform());
}

void ToyEdge::on_burst(const proto::Burst& burst, Session& session) {
  if (!place(burst.place, session)) {
    return;
  }
  stream_->broken = stream_->requests;
  for (std::uint32_t i = 1; i <= burst.count; ++i) {
    const bool full = session.text.size() >= context_tokens;
    proto::Tokens tokens{.number = stream_->requests,
                         .tokens = {},
                         .end = full               ? proto::BurstEnd::kContextFull
                                : i == burst.count ? proto::BurstEnd::kComplete
                                                   : proto::BurstEnd::kGoesOn,
                         .timing = {.queue = {}, .verify = Seconds(0.001), .sessions = 1}};
    if (!full) {
      tokens.tokens.push_back(write_one(session));
      session.text.push_back(tokens.tokens.back());
    }
    answer(std::move(tokens));
    if (full) {
      return;
    }
  }
}

}  // namespace gelato::device
