// DeviceMessage: written by the device, read by the edge.
#include <fmt/format.h>
#include <gelato/v1/edge.pb.h>

#include <algorithm>
#include <type_traits>

#include "gelato/proto/token_pack.h"
#include "gelato/proto/wire.h"

namespace gelato::proto {
namespace {

WireResult<> check_sampling(const v1::Sampling& in, WireMode mode) {
  if (!(in.temperature() >= 0.0 && in.temperature() <= kMaxTemperature)) {
    return refuse(ErrorKind::kMode, "the temperature must be between 0 and 100");
  }
  if (!(in.top_p() > 0.0 && in.top_p() <= 1.0)) {
    return refuse(ErrorKind::kMode, "top-p must be above 0 and at most 1");
  }
  if (!(in.min_p() >= 0.0 && in.min_p() <= 1.0)) {
    return refuse(ErrorKind::kMode, "min-p must be between 0 and 1");
  }
  const bool greedy = in.temperature() <= 0.0;
  if (greedy != (mode == WireMode::kIds)) {
    return refuse(
        ErrorKind::kMode,
        fmt::format("wire mode {} is for {}, but the temperature is {}", to_string(mode),
                    mode == WireMode::kIds ? "temperature 0" : "sampling", in.temperature()));
  }
  return {};
}

WireResult<WireMode> read_mode(v1::WireMode mode) {
  switch (mode) {
    case v1::IDS:
      return WireMode::kIds;
    case v1::QROW:
      return WireMode::kQRow;
    case v1::DSSD:
      return WireMode::kDssd;
    default:
      return refuse(ErrorKind::kMode, fmt::format("there is no wire mode {}; use ids, qrow or dssd",
                                                  static_cast<int>(mode)));
  }
}

WireResult<> read_vocabulary(const v1::Open& in, Open& out) {
  if (in.n_vocab() < 1 || in.n_vocab() > kMaxVocabulary || in.common_vocab() < 1 ||
      in.common_vocab() > in.n_vocab()) {
    return refuse(ErrorKind::kVocabulary,
                  fmt::format("a vocabulary of {} tokens, {} of them common, cannot be",
                              in.n_vocab(), in.common_vocab()));
  }
  out.n_vocab = static_cast<spec::Token>(in.n_vocab());
  out.common_vocab = static_cast<spec::Token>(in.common_vocab());
  out.vocabulary_fingerprint = in.vocabulary_fingerprint();
  return {};
}

WireResult<> read_text(const v1::Open& in, Open& out) {
  if (in.has_resume()) {
    Resume resume{.session = {}, .count = in.resume().count(), .hash = in.resume().hash()};
    if (in.resume().session().size() != kSessionIdBytes || resume.count > kMaxTextTokens) {
      return refuse(ErrorKind::kMalformed, "the session to resume is not named properly");
    }
    std::copy_n(in.resume().session().begin(), kSessionIdBytes, resume.session.begin());
    out.resume = resume;
  } else if (in.token_count() == 0) {
    return refuse(ErrorKind::kMalformed, "a text begins with at least one token");
  }
  if (in.token_count() > kMaxTextTokens) {
    return refuse(ErrorKind::kTooLong, fmt::format("a text of {} tokens is longer than the {} that "
                                                   "one message may hold",
                                                   in.token_count(), kMaxTextTokens));
  }
  auto tokens = unpack_tokens(in.tokens(), in.token_count(), out.n_vocab);
  if (!tokens) {
    return refuse(tokens.error());
  }
  out.tokens = std::move(*tokens);
  return {};
}

WireResult<Open> read_open(const v1::Open& in) {
  Open out;
  out.protocol = in.protocol();
  if (in.protocol() < kOldestProtocol || in.protocol() > kProtocol) {
    return refuse(ErrorKind::kVersion,
                  fmt::format("the device speaks protocol {}, this edge {} to {}; update the older "
                              "of the two programs",
                              in.protocol(), kOldestProtocol, kProtocol));
  }
  const auto mode = read_mode(in.mode());
  if (!mode) {
    return refuse(mode.error());
  }
  out.mode = *mode;
  if (auto ok = check_sampling(in.sampling(), *mode); !ok) {
    return refuse(ok.error());
  }
  out.model_fingerprint = in.model_fingerprint();
  out.sampling = {.temperature = in.sampling().temperature(),
                  .top_k = in.sampling().top_k(),
                  .top_p = in.sampling().top_p(),
                  .min_p = in.sampling().min_p()};
  out.seed = in.seed();
  if (auto ok = read_vocabulary(in, out); !ok) {
    return refuse(ok.error());
  }
  out.rows = {.max_entries = in.row_coding().max_entries(),
              .weight_bits = in.row_coding().weight_bits(),
              .max_bytes = in.row_coding().max_bytes(),
              .n_vocab = out.n_vocab};
  if (auto dialect = Dialect::of(out); !dialect) {
    return refuse(dialect.error());
  }
  if (auto ok = read_text(in, out); !ok) {
    return refuse(ok.error());
  }
  return out;
}

template <class Message>
WireResult<Place> read_place(const Message& in, const Dialect& dialect) {
  Place place{.after = in.after(), .base = in.base(), .drawn = {}};
  if (in.has_drawn()) {
    if (dialect.mode() != WireMode::kDssd) {
      return refuse(ErrorKind::kUnexpected, "only in mode dssd does the device draw a token");
    }
    if (in.drawn() >= static_cast<std::uint32_t>(dialect.n_vocab())) {
      return refuse(ErrorKind::kTokenRange, fmt::format("token {} is outside the vocabulary of {}",
                                                        in.drawn(), dialect.n_vocab()));
    }
    place.drawn = static_cast<spec::Token>(in.drawn());
  }
  return place;
}

WireResult<> read_ids(const v1::Draft& in, const Dialect& dialect, Draft& out) {
  const auto tokens = unpack_tokens(in.tokens(), in.count(), dialect.n_vocab());
  if (!tokens) {
    return refuse(tokens.error());
  }
  for (const spec::Token token : *tokens) {
    out.draft.push(token);
  }
  return {};
}

WireResult<> read_rows(const v1::Draft& in, const spec::DistCodec& codec, Draft& out) {
  std::span<const std::uint8_t> code(reinterpret_cast<const std::uint8_t*>(in.rows().data()),
                                     in.rows().size());
  spec::SparseDist row;
  for (std::uint32_t i = 0; i < in.count(); ++i) {
    if (auto ok = codec.decode(code, row); !ok) {
      return refuse(ErrorKind::kRow, fmt::format("row {} of the draft: {}", i, ok.error().message));
    }
    if (code.empty() || code[0] >= row.size()) {
      return refuse(ErrorKind::kRow,
                    fmt::format("row {} of the draft does not hold the drawn entry", i));
    }
    const spec::Token token = row.entries()[code[0]].token;
    code = code.subspan(1);
    std::swap(out.draft.push(token), row);
  }
  if (!code.empty()) {
    return refuse(ErrorKind::kMalformed, "bytes are left over after the draft's rows");
  }
  return {};
}

WireResult<> read_scalars(const v1::Draft& in, Draft& out) {
  if (in.q_size() != static_cast<int>(in.count())) {
    return refuse(ErrorKind::kMalformed, fmt::format("{} drafted tokens come with {} probabilities",
                                                     in.count(), in.q_size()));
  }
  for (const double q : in.q()) {
    if (!(q > 0.0 && q <= 1.0)) {
      return refuse(ErrorKind::kRow,
                    fmt::format("a drafted token has the probability {}, which is not above 0 and "
                                "at most 1",
                                q));
    }
    out.q.push_back(q);
  }
  return {};
}

WireResult<> check_fields(const v1::Draft& in, WireMode mode) {
  if (in.count() > kMaxDraft) {
    return refuse(ErrorKind::kTooLong, fmt::format("a draft of {} tokens is longer than the {} "
                                                   "that are allowed",
                                                   in.count(), kMaxDraft));
  }
  if (in.no_bonus() && in.count() == 0) {
    return refuse(ErrorKind::kMalformed, "a draft without tokens and without bonus asks nothing");
  }
  const bool ids = mode != WireMode::kQRow;
  if ((!ids && !in.tokens().empty()) || (ids && !in.rows().empty()) ||
      (mode != WireMode::kDssd && in.q_size() > 0)) {
    return refuse(
        ErrorKind::kMalformed,
        fmt::format("the draft holds fields that mode {} does not have", to_string(mode)));
  }
  return {};
}

WireResult<Draft> read_draft(const v1::Draft& in, const Dialect& dialect) {
  if (auto ok = check_fields(in, dialect.mode()); !ok) {
    return refuse(ok.error());
  }
  Draft out;
  const auto place = read_place(in, dialect);
  if (!place) {
    return refuse(place.error());
  }
  out.place = *place;
  out.no_bonus = in.no_bonus();
  auto ok = dialect.mode() == WireMode::kQRow ? read_rows(in, *dialect.codec(), out)
                                              : read_ids(in, dialect, out);
  if (ok && dialect.mode() == WireMode::kDssd) {
    ok = read_scalars(in, out);
  }
  if (!ok) {
    return refuse(ok.error());
  }
  return out;
}

WireResult<Burst> read_burst(const v1::Burst& in, const Dialect& dialect) {
  if (in.count() < 1 || in.count() > kMaxBurst) {
    return refuse(ErrorKind::kTooLong,
                  fmt::format("a burst has 1 to {} tokens, not {}", kMaxBurst, in.count()));
  }
  const auto place = read_place(in, dialect);
  if (!place) {
    return refuse(place.error());
  }
  return Burst{.place = *place, .count = in.count(), .chunk = in.chunk()};
}

template <class Message>
void write_place(const Place& place, Message& out) {
  out.set_after(place.after);
  out.set_base(place.base);
  if (place.drawn) {
    out.set_drawn(static_cast<std::uint32_t>(*place.drawn));
  }
}

void write_open(const Open& in, v1::Open& out) {
  out.set_protocol(in.protocol);
  out.set_model_fingerprint(in.model_fingerprint);
  out.set_n_vocab(static_cast<std::uint32_t>(in.n_vocab));
  out.set_common_vocab(static_cast<std::uint32_t>(in.common_vocab));
  out.set_vocabulary_fingerprint(in.vocabulary_fingerprint);
  out.set_mode(static_cast<v1::WireMode>(in.mode));
  out.mutable_sampling()->set_temperature(in.sampling.temperature);
  out.mutable_sampling()->set_top_k(in.sampling.top_k);
  out.mutable_sampling()->set_top_p(in.sampling.top_p);
  out.mutable_sampling()->set_min_p(in.sampling.min_p);
  out.set_seed(in.seed);
  if (in.mode == WireMode::kQRow) {
    out.mutable_row_coding()->set_max_entries(in.rows.max_entries);
    out.mutable_row_coding()->set_weight_bits(in.rows.weight_bits);
    out.mutable_row_coding()->set_max_bytes(in.rows.max_bytes);
  }
  out.set_token_count(static_cast<std::uint32_t>(in.tokens.size()));
  out.set_tokens(pack_tokens(in.tokens, in.n_vocab));
  if (in.resume) {
    out.mutable_resume()->set_session(in.resume->session.data(), kSessionIdBytes);
    out.mutable_resume()->set_count(in.resume->count);
    out.mutable_resume()->set_hash(in.resume->hash);
  }
}

std::string code_rows(const spec::Draft& draft, const spec::DistCodec& codec) {
  std::vector<std::uint8_t> code;
  for (std::size_t i = 0; i < draft.size(); ++i) {
    const spec::SparseDist& row = draft.rows()[i];
    codec.encode(row, code);
    const auto at = std::find_if(row.entries().begin(), row.entries().end(),
                                 [&](const auto& e) { return e.token == draft.tokens()[i]; });
    code.push_back(static_cast<std::uint8_t>(at - row.entries().begin()));
  }
  return {code.begin(), code.end()};
}

void write_draft(const Draft& in, const Dialect& dialect, v1::Draft& out) {
  write_place(in.place, out);
  out.set_count(static_cast<std::uint32_t>(in.draft.size()));
  out.set_no_bonus(in.no_bonus);
  if (dialect.mode() == WireMode::kQRow) {
    out.set_rows(code_rows(in.draft, *dialect.codec()));
    return;
  }
  out.set_tokens(pack_tokens(in.draft.tokens(), dialect.n_vocab()));
  if (dialect.mode() == WireMode::kDssd) {
    out.mutable_q()->Add(in.q.begin(), in.q.end());
  }
}

}  // namespace

WireResult<Dialect> Dialect::of(const Open& open) {
  Dialect dialect;
  dialect.mode_ = open.mode;
  dialect.n_vocab_ = open.n_vocab;
  if (open.mode == WireMode::kQRow) {
    spec::DistCodecParams params = open.rows;
    params.n_vocab = open.n_vocab;
    const auto codec = spec::DistCodec::create(params);
    if (!codec) {
      return refuse(ErrorKind::kMode, codec.error().message);
    }
    dialect.codec_ = *codec;
  }
  return dialect;
}

WireResult<DeviceMessage> read(const v1::DeviceMessage& in, const Dialect* dialect) {
  const auto kind = in.kind_case();
  if (kind == v1::DeviceMessage::KIND_NOT_SET) {
    return refuse(ErrorKind::kMalformed,
                  "a message is empty, or of a kind that this edge does not know");
  }
  if ((kind == v1::DeviceMessage::kOpen) != (dialect == nullptr)) {
    return refuse(ErrorKind::kUnexpected, dialect == nullptr
                                              ? "the first message of a stream must be Open"
                                              : "Open comes once, as the first message");
  }
  const auto passed_on = [](auto&& result) -> WireResult<DeviceMessage> {
    if (!result) {
      return refuse(result.error());
    }
    return DeviceMessage(std::move(*result));
  };
  switch (kind) {
    case v1::DeviceMessage::kOpen:
      return passed_on(read_open(in.open()));
    case v1::DeviceMessage::kDraft:
      return passed_on(read_draft(in.draft(), *dialect));
    case v1::DeviceMessage::kBurst:
      return passed_on(read_burst(in.burst(), *dialect));
    case v1::DeviceMessage::kCancel:
      return DeviceMessage(Cancel{});
    default:
      return DeviceMessage(Close{});
  }
}

void write(const DeviceMessage& message, const Dialect* dialect, v1::DeviceMessage& out) {
  std::visit(
      [&](const auto& m) {
        using M = std::decay_t<decltype(m)>;
        if constexpr (std::is_same_v<M, Open>) {
          write_open(m, *out.mutable_open());
        } else if constexpr (std::is_same_v<M, Draft>) {
          write_draft(m, *dialect, *out.mutable_draft());
        } else if constexpr (std::is_same_v<M, Burst>) {
          write_place(m.place, *out.mutable_burst());
          out.mutable_burst()->set_count(m.count);
          out.mutable_burst()->set_chunk(m.chunk);
        } else if constexpr (std::is_same_v<M, Cancel>) {
          out.mutable_cancel();
        } else {
          out.mutable_close();
        }
      },
      message);
}

}  // namespace gelato::proto
