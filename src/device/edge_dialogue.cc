#include "gelato/device/edge_dialogue.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "gelato/base/rng.h"
#include "gelato/proto/row_code.h"
#include "gelato/spec/verify.h"

namespace gelato::device {
namespace {

tl::unexpected<Error> broken(std::string what) {
  return fail(ErrorCode::kCorrupt,
              what + "; it is broken or speaks another protocol, so nothing it says is used");
}

std::size_t common_prefix(std::span<const spec::Token> a, std::span<const spec::Token> b) {
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first -
                                  a.begin());
}

}  // namespace

void EdgeDialogue::start(std::span<const spec::Token> prompt) {
  at_edge_ = std::min(at_edge_, common_prefix(text_, prompt));
  text_.assign(prompt.begin(), prompt.end());
  drawn_.reset();
  in_step_ = false;
  if (at_edge_ == 0) {
    forget_session();
  }
}

proto::Open EdgeDialogue::open() {
  sent_ = 0;
  answered_ = 0;
  stale_until_ = 0;
  ahead_ = 0;
  drawn_.reset();  // part of what open() sends
  opened_at_ = text_.size();
  in_step_ = true;
  proto::Open open{.model_fingerprint = terms_.model_fingerprint,
                   .n_vocab = terms_.n_vocab,
                   .common_vocab = terms_.common_vocab,
                   .vocabulary_fingerprint = terms_.vocabulary_fingerprint,
                   .mode = terms_.mode,
                   .sampling = terms_.sampling,
                   .seed = terms_.seed,
                   .rows = terms_.rows,
                   .tokens = {},
                   .resume = {}};
  const auto kept = std::span(text_).first(at_edge_);
  if (session_) {
    open.resume = {.session = *session_,
                   .count = static_cast<std::uint32_t>(kept.size()),
                   .hash = proto::text_hash(kept)};
  }
  open.tokens.assign(text_.begin() + static_cast<std::ptrdiff_t>(at_edge_), text_.end());
  return open;
}

Result<void> EdgeDialogue::on_opened(const proto::Opened& opened) {
  if (opened.committed != opened_at_) {
    return broken(fmt::format("the edge was sent a text of {} tokens and took it for {}",
                              opened_at_, opened.committed));
  }
  session_ = opened.session;
  at_edge_ = opened_at_;
  return {};
}

void EdgeDialogue::forget_session() {
  session_.reset();
  at_edge_ = 0;
}

proto::Place EdgeDialogue::next_place() {
  ++sent_;
  return {.after = answered_,
          .base = static_cast<std::uint32_t>(text_.size()) + ahead_,
          .drawn = std::exchange(drawn_, std::nullopt)};
}

proto::Draft EdgeDialogue::ask(const spec::Draft& draft, bool bonus) {
  proto::Draft request{.place = next_place(), .draft = draft, .q = {}, .no_bonus = !bonus};
  bonus_[sent_ % bonus_.size()] = bonus;
  ahead_ += static_cast<std::uint32_t>(draft.size());
  if (terms_.mode == proto::WireMode::kDssd) {
    for (std::size_t i = 0; i < draft.size(); ++i) {
      request.q.push_back(draft.rows()[i].prob(draft.tokens()[i]));
    }
  }
  return request;
}

proto::Burst EdgeDialogue::ask_burst(std::uint32_t count) {
  burst_left_ = count;
  return {.place = next_place(), .count = count, .chunk = 1};
}

Result<spec::Token> EdgeDialogue::draw(const proto::Verdict& answer, const spec::Draft& draft) {
  const auto p = proto::decode_row(answer.row, terms_.n_vocab);
  if (!p) {
    return broken("the edge sent a row of probabilities that is none: " + p.error().message);
  }
  Rng uniforms(terms_.seed, stream_id("verify"), 2 * text_.size() + answer.accepted + 1);
  return spec::sample_residual(*p, draft.rows()[answer.accepted], uniforms.uniform());
}

// Answers come in the order of the requests.
Result<void> EdgeDialogue::expected(std::uint32_t number) const {
  if (number != answered_ + 1 || answered_ == sent_) {
    return broken(fmt::format("the edge answered request {} when request {} was asked", number,
                              std::min(answered_ + 1, sent_)));
  }
  return {};
}

Result<ChunkVerdict> EdgeDialogue::on_chunk(const proto::Verdict& answer,
                                            const spec::Draft& draft) {
  if (auto ok = expected(answer.number); !ok) {
    return fail(ok.error());
  }
  if (answer.number <= stale_until_) {
    return broken(fmt::format("the edge decided request {}, which is stale", answer.number));
  }
  if (answer.accepted > draft.size()) {
    return broken(
        fmt::format("the edge accepted {} tokens of a draft of {}", answer.accepted, draft.size()));
  }
  const bool whole = answer.accepted == draft.size();
  const bool goes_on = whole && !bonus_[answer.number % bonus_.size()];
  const bool row = !answer.row.empty();
  if (goes_on && (answer.next || row)) {
    return broken("the edge added a token to a chunk that another one follows");
  }
  if (!goes_on && !answer.next && (!row || whole)) {
    return broken("the edge gave a verdict without the token that follows");
  }
  ChunkVerdict verdict{.accepted = answer.accepted, .next = answer.next};
  if (!goes_on && !answer.next) {
    const auto drawn = draw(answer, draft);
    if (!drawn) {
      return fail(drawn.error());
    }
    verdict.next = *drawn;
  }
  answered_ = answer.number;
  const auto accepted = draft.tokens().first(answer.accepted);
  text_.insert(text_.end(), accepted.begin(), accepted.end());
  at_edge_ = text_.size();
  if (goes_on) {
    ahead_ -= answer.accepted;
    return verdict;
  }
  ahead_ = 0;
  stale_until_ = sent_;
  text_.push_back(*verdict.next);
  if (answer.next) {
    at_edge_ = text_.size();
  } else {
    drawn_ = *verdict.next;
  }
  return verdict;
}

Result<spec::Verdict> EdgeDialogue::on_verdict(const proto::Verdict& answer,
                                               const spec::Draft& draft) {
  const auto verdict = on_chunk(answer, draft);
  if (!verdict) {
    return fail(verdict.error());
  }
  return spec::Verdict{.accepted = verdict->accepted, .next = *verdict->next};
}

Result<void> EdgeDialogue::on_stale(const proto::Stale& answer) {
  if (auto ok = expected(answer.number); !ok) {
    return ok;
  }
  if (answer.number > stale_until_) {
    return broken(fmt::format("the edge called request {} stale, which is not", answer.number));
  }
  answered_ = answer.number;
  return {};
}

Result<void> EdgeDialogue::on_tokens(const proto::Tokens& answer) {
  if (auto ok = expected(answer.number); !ok) {
    return ok;
  }
  if (answer.tokens.size() > burst_left_) {
    return broken(fmt::format("the edge wrote {} tokens where at most {} were asked for",
                              answer.tokens.size(), burst_left_));
  }
  burst_left_ -= static_cast<std::uint32_t>(answer.tokens.size());
  text_.insert(text_.end(), answer.tokens.begin(), answer.tokens.end());
  at_edge_ = text_.size();
  if (answer.end != proto::BurstEnd::kGoesOn) {
    answered_ = answer.number;
  }
  return {};
}

void EdgeDialogue::append(std::span<const spec::Token> tokens) {
  text_.insert(text_.end(), tokens.begin(), tokens.end());
  in_step_ = false;
}

}  // namespace gelato::device
