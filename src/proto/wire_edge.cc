// EdgeMessage and InfoReply: written by the edge, read by the device.
#include <fmt/format.h>
#include <gelato/v1/edge.pb.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "gelato/proto/token_pack.h"
#include "gelato/proto/wire.h"

namespace gelato::proto {
namespace {

// Rounded; what does not fit is cut off, so that no clock can break a message.
std::uint32_t to_us(Seconds time) {
  constexpr double kMost = std::numeric_limits<std::uint32_t>::max();
  return static_cast<std::uint32_t>(std::clamp(std::round(time.value() * 1e6), 0.0, kMost));
}
Seconds from_us(std::uint64_t us) { return Seconds(static_cast<double>(us) * 1e-6); }

std::uint32_t to_ms(Seconds time) { return to_us(time / 1e3); }

void write_timing(const Timing& in, v1::Timing& out) {
  out.set_queue_us(to_us(in.queue));
  out.set_verify_us(to_us(in.verify));
  out.set_sessions(in.sessions);
  out.set_other_tokens(in.other_tokens);
  out.set_other_sessions(in.other_sessions);
}
Timing read_timing(const v1::Timing& in) {
  return {.queue = from_us(in.queue_us()),
          .verify = from_us(in.verify_us()),
          .sessions = in.sessions(),
          .other_tokens = in.other_tokens(),
          .other_sessions = in.other_sessions()};
}

void write_limits(const Limits& in, v1::Limits& out) {
  out.set_context_tokens(in.context_tokens);
  out.set_max_draft(in.max_draft);
  out.set_max_in_flight(in.max_in_flight);
  out.set_max_burst(in.max_burst);
  out.set_max_message_bytes(in.max_message_bytes);
  out.set_lease_ms(to_ms(in.lease));
}
Limits read_limits(const v1::Limits& in) {
  return {.context_tokens = in.context_tokens(),
          .max_draft = in.max_draft(),
          .max_in_flight = in.max_in_flight(),
          .max_burst = in.max_burst(),
          .max_message_bytes = in.max_message_bytes(),
          .lease = milliseconds(in.lease_ms())};
}

WireResult<Opened> read_opened(const v1::Opened& in) {
  if (in.session().size() != kSessionIdBytes) {
    return refuse(ErrorKind::kMalformed,
                  "the edge named the session with the wrong number of "
                  "bytes");
  }
  Opened out{.session = {},
             .protocol = in.protocol(),
             .committed = in.committed(),
             .reused = in.reused(),
             .limits = read_limits(in.limits()),
             .timing = read_timing(in.timing())};
  std::copy_n(in.session().begin(), kSessionIdBytes, out.session.begin());
  return out;
}

WireResult<Verdict> read_verdict(const v1::Verdict& in, const Dialect& dialect) {
  Verdict out{.number = in.number(),
              .accepted = in.accepted(),
              .next = {},
              .row = {in.row().begin(), in.row().end()},
              .timing = read_timing(in.timing())};
  if (in.accepted() > kMaxDraft) {
    return refuse(ErrorKind::kTooLong, "the edge accepted more tokens than a draft can have");
  }
  if (in.has_next()) {
    if (in.next() >= static_cast<std::uint32_t>(dialect.n_vocab())) {
      return refuse(ErrorKind::kTokenRange,
                    fmt::format("the edge's token {} is outside the vocabulary of {}", in.next(),
                                dialect.n_vocab()));
    }
    out.next = static_cast<spec::Token>(in.next());
  }
  if (!out.row.empty() && (out.next || dialect.mode() != WireMode::kDssd)) {
    return refuse(ErrorKind::kMalformed, "the edge sent a row that mode or verdict do not have");
  }
  return out;
}

WireResult<Tokens> read_tokens(const v1::Tokens& in, const Dialect& dialect) {
  if (in.count() > kMaxBurst) {
    return refuse(ErrorKind::kTooLong, "the edge wrote more tokens than a burst can have");
  }
  if (!v1::BurstEnd_IsValid(in.end())) {
    return refuse(ErrorKind::kMalformed, "the edge ended a burst for no known reason");
  }
  auto tokens = unpack_tokens(in.tokens(), in.count(), dialect.n_vocab());
  if (!tokens) {
    return refuse(tokens.error());
  }
  return Tokens{.number = in.number(),
                .tokens = std::move(*tokens),
                .end = static_cast<BurstEnd>(in.end()),
                .timing = read_timing(in.timing())};
}

void write_one(const Opened& in, const Dialect& /*dialect*/, v1::EdgeMessage& message) {
  v1::Opened& out = *message.mutable_opened();
  out.set_session(in.session.data(), kSessionIdBytes);
  out.set_protocol(in.protocol);
  out.set_committed(in.committed);
  out.set_reused(in.reused);
  write_limits(in.limits, *out.mutable_limits());
  write_timing(in.timing, *out.mutable_timing());
}

void write_one(const Verdict& in, const Dialect& /*dialect*/, v1::EdgeMessage& message) {
  v1::Verdict& out = *message.mutable_verdict();
  out.set_number(in.number);
  out.set_accepted(in.accepted);
  if (in.next) {
    out.set_next(static_cast<std::uint32_t>(*in.next));
  }
  if (!in.row.empty()) {
    out.set_row(in.row.data(), in.row.size());
  }
  write_timing(in.timing, *out.mutable_timing());
}

void write_one(const Stale& in, const Dialect& /*dialect*/, v1::EdgeMessage& message) {
  message.mutable_stale()->set_number(in.number);
}

void write_one(const Tokens& in, const Dialect& dialect, v1::EdgeMessage& message) {
  v1::Tokens& out = *message.mutable_tokens();
  out.set_number(in.number);
  out.set_count(static_cast<std::uint32_t>(in.tokens.size()));
  out.set_tokens(pack_tokens(in.tokens, dialect.n_vocab()));
  out.set_end(static_cast<v1::BurstEnd>(in.end));
  write_timing(in.timing, *out.mutable_timing());
}

void write_one(const Closed& in, const Dialect& /*dialect*/, v1::EdgeMessage& message) {
  v1::Closed& out = *message.mutable_closed();
  out.set_committed(in.committed);
  out.set_drafted(in.drafted);
  out.set_accepted(in.accepted);
  out.set_stale(in.stale);
  out.set_passes(in.passes);
  out.set_busy_us(static_cast<std::uint64_t>(std::max(0.0, std::round(in.busy.value() * 1e6))));
}

void write_model(const ModelCard& in, v1::Model& out) {
  out.set_name(in.name);
  out.set_description(in.description);
  out.set_fingerprint(in.fingerprint);
  out.set_parameters(in.parameters);
  out.set_n_vocab(static_cast<std::uint32_t>(in.n_vocab));
  out.set_vocabulary_fingerprint(in.vocabulary_fingerprint);
  for (const spec::Token token : in.end_of_generation) {
    out.add_end_of_generation(static_cast<std::uint32_t>(token));
  }
}

WireResult<ModelCard> read_model(const v1::Model& in) {
  if (in.n_vocab() < 1 || in.n_vocab() > kMaxVocabulary) {
    return refuse(ErrorKind::kVocabulary,
                  fmt::format("the edge's model has a vocabulary of {} tokens", in.n_vocab()));
  }
  if (in.name().size() > kMaxTextBytes || in.description().size() > kMaxTextBytes ||
      static_cast<std::uint32_t>(in.end_of_generation_size()) > kMaxEndTokens) {
    return refuse(ErrorKind::kTooLong, "the edge describes its model at too great a length");
  }
  ModelCard out{.name = in.name(),
                .description = in.description(),
                .fingerprint = in.fingerprint(),
                .parameters = in.parameters(),
                .n_vocab = static_cast<spec::Token>(in.n_vocab()),
                .vocabulary_fingerprint = in.vocabulary_fingerprint(),
                .end_of_generation = {}};
  for (const std::uint32_t token : in.end_of_generation()) {
    const bool ascending = out.end_of_generation.empty() ||
                           token > static_cast<std::uint32_t>(out.end_of_generation.back());
    if (token >= in.n_vocab() || !ascending) {
      return refuse(ErrorKind::kMalformed,
                    "the tokens that end a text are not ascending ids of the vocabulary");
    }
    out.end_of_generation.push_back(static_cast<spec::Token>(token));
  }
  return out;
}

}  // namespace

WireResult<EdgeMessage> read(const v1::EdgeMessage& in, const Dialect& dialect) {
  const auto passed_on = [](auto&& result) -> WireResult<EdgeMessage> {
    if (!result) {
      return refuse(result.error());
    }
    return EdgeMessage(std::move(*result));
  };
  switch (in.kind_case()) {
    case v1::EdgeMessage::kOpened:
      return passed_on(read_opened(in.opened()));
    case v1::EdgeMessage::kVerdict:
      return passed_on(read_verdict(in.verdict(), dialect));
    case v1::EdgeMessage::kStale:
      return EdgeMessage(Stale{.number = in.stale().number()});
    case v1::EdgeMessage::kTokens:
      return passed_on(read_tokens(in.tokens(), dialect));
    case v1::EdgeMessage::kClosed:
      return EdgeMessage(Closed{.committed = in.closed().committed(),
                                .drafted = in.closed().drafted(),
                                .accepted = in.closed().accepted(),
                                .stale = in.closed().stale(),
                                .passes = in.closed().passes(),
                                .busy = from_us(in.closed().busy_us())});
    default:
      return refuse(ErrorKind::kUnexpected,
                    "the edge sent an empty message, or one of a kind that this program does not "
                    "know");
  }
}

void write(const EdgeMessage& message, const Dialect& dialect, v1::EdgeMessage& out) {
  std::visit([&](const auto& m) { write_one(m, dialect, out); }, message);
}

WireResult<ServerInfo> read(const v1::InfoReply& in) {
  auto model = read_model(in.model());
  if (!model) {
    return refuse(model.error());
  }
  if (in.version().size() > kMaxTextBytes || in.modes_size() > 16) {
    return refuse(ErrorKind::kTooLong, "the edge describes itself at too great a length");
  }
  ServerInfo out{.version = in.version(),
                 .protocol_oldest = in.protocol_oldest(),
                 .protocol_newest = in.protocol_newest(),
                 .model = std::move(*model),
                 .limits = read_limits(in.limits()),
                 .modes = {}};
  for (const int mode : in.modes()) {
    if (mode == v1::IDS || mode == v1::QROW || mode == v1::DSSD) {  // others are for newer devices
      out.modes.push_back(static_cast<WireMode>(mode));
    }
  }
  return out;
}

void write(const ServerInfo& info, v1::InfoReply& out) {
  out.set_version(info.version);
  out.set_protocol_oldest(info.protocol_oldest);
  out.set_protocol_newest(info.protocol_newest);
  write_model(info.model, *out.mutable_model());
  write_limits(info.limits, *out.mutable_limits());
  for (const WireMode mode : info.modes) {
    out.add_modes(static_cast<v1::WireMode>(mode));
  }
}

}  // namespace gelato::proto
