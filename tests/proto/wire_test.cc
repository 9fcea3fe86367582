#include "gelato/proto/wire.h"

#include <gelato/v1/edge.pb.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "tests/proto/samples.h"

namespace gelato::proto {
namespace {

using ::testing::ElementsAreArray;

constexpr std::array kModes = {WireMode::kIds, WireMode::kQRow, WireMode::kDssd};

template <class Message>
Message through_the_wire(const Message& message, WireMode mode, bool opened = true) {
  const Dialect dialect = sample_dialect(mode);
  const Dialect* known = opened ? &dialect : nullptr;
  const auto back = decode_device_message(encode(DeviceMessage(message), &dialect), known);
  EXPECT_TRUE(back.has_value()) << back.error().message;
  return std::get<Message>(*back);
}

template <class Message>
Message down_the_wire(const Message& message, WireMode mode) {
  const Dialect dialect = sample_dialect(mode);
  const auto back = decode_edge_message(encode(EdgeMessage(message), dialect), dialect);
  EXPECT_TRUE(back.has_value()) << back.error().message;
  return std::get<Message>(*back);
}

TEST(Wire, OpenComesBack) {
  for (const WireMode mode : kModes) {
    const Open sent = sample_open(mode);
    const Open got = through_the_wire(sent, mode, false);
    EXPECT_EQ(got.protocol, kProtocol);
    EXPECT_EQ(got.model_fingerprint, sent.model_fingerprint);
    EXPECT_EQ(got.n_vocab, sent.n_vocab);
    EXPECT_EQ(got.common_vocab, sent.common_vocab);
    EXPECT_EQ(got.vocabulary_fingerprint, sent.vocabulary_fingerprint);
    EXPECT_EQ(got.mode, mode);
    EXPECT_EQ(got.sampling, sent.sampling);
    EXPECT_EQ(got.seed, sent.seed);
    EXPECT_EQ(got.tokens, sent.tokens);
    EXPECT_EQ(got.resume, sent.resume);
    if (mode == WireMode::kQRow) {
      EXPECT_EQ(got.rows.max_bytes, sent.rows.max_bytes);
      EXPECT_EQ(got.rows.n_vocab, sent.n_vocab);
    }
  }
}

TEST(Wire, DraftsComeBackBitForBit) {
  for (const WireMode mode : kModes) {
    for (const std::uint32_t count : {1U, 8U, kMaxDraft}) {
      const Draft sent = sample_draft(mode, count);
      const Draft got = through_the_wire(sent, mode);
      EXPECT_EQ(got.place, sent.place);
      EXPECT_THAT(got.draft.tokens(), ElementsAreArray(sent.draft.tokens()));
      EXPECT_EQ(got.q, sent.q);
      EXPECT_EQ(got.no_bonus, sent.no_bonus);
      if (mode == WireMode::kQRow) {
        EXPECT_THAT(got.draft.rows(), ElementsAreArray(sent.draft.rows()));
      }
    }
  }
  Draft empty;
  empty.place = {.after = 0, .base = 1, .drawn = {}};
  EXPECT_TRUE(through_the_wire(empty, WireMode::kIds).draft.empty());
}

TEST(Wire, TheOtherMessagesComeBack) {
  const Burst burst = through_the_wire(
      Burst{.place = {.after = 3, .base = 20, .drawn = 5}, .count = 64, .chunk = 4},
      WireMode::kDssd);
  EXPECT_EQ(burst.place, (Place{.after = 3, .base = 20, .drawn = 5}));
  EXPECT_EQ(burst.count, 64U);
  EXPECT_EQ(burst.chunk, 4U);
  through_the_wire(Cancel{}, WireMode::kIds);
  through_the_wire(Close{}, WireMode::kIds);

  const Opened opened = down_the_wire(Opened{.session = {9, 8, 7},
                                             .protocol = 1,
                                             .committed = 5,
                                             .reused = 4,
                                             .limits = sample_info().limits,
                                             .timing = sample_timing()},
                                      WireMode::kIds);
  EXPECT_EQ(opened.session, (SessionId{9, 8, 7}));
  EXPECT_EQ(opened.committed, 5U);
  EXPECT_EQ(opened.reused, 4U);
  EXPECT_EQ(opened.limits, sample_info().limits);
  EXPECT_NEAR(opened.timing.verify.value(), 0.098765, 1e-9);
  EXPECT_NEAR(opened.timing.queue.value(), 0.00125, 1e-9);
  EXPECT_EQ(opened.timing.sessions, 7U);
  EXPECT_EQ(opened.timing.other_tokens, 19U);
  EXPECT_EQ(opened.timing.other_sessions, 11U);

  const Verdict rejected =
      down_the_wire(Verdict{.number = 3, .accepted = 2, .next = {}, .row = {1, 2, 3}, .timing = {}},
                    WireMode::kDssd);
  EXPECT_EQ(rejected.next, std::nullopt);
  EXPECT_THAT(rejected.row, ElementsAreArray({1, 2, 3}));
  const Verdict bonus = down_the_wire(
      Verdict{.number = 3, .accepted = 64, .next = 0, .row = {}, .timing = {}}, WireMode::kIds);
  EXPECT_EQ(bonus.next, 0);
  EXPECT_EQ(bonus.accepted, 64U);

  EXPECT_EQ(down_the_wire(Stale{.number = 12}, WireMode::kIds).number, 12U);
  const Tokens tokens = down_the_wire(
      Tokens{.number = 1, .tokens = {5, 150'000}, .end = BurstEnd::kEndOfText, .timing = {}},
      WireMode::kIds);
  EXPECT_THAT(tokens.tokens, ElementsAreArray({5, 150'000}));
  EXPECT_EQ(tokens.end, BurstEnd::kEndOfText);
  const Closed closed = down_the_wire(Closed{.committed = 100,
                                             .drafted = 80,
                                             .accepted = 60,
                                             .stale = 3,
                                             .passes = 30,
                                             .busy = Seconds(1.5)},
                                      WireMode::kIds);
  EXPECT_EQ(closed.accepted, 60U);
  EXPECT_EQ(closed.busy, Seconds(1.5));

  EXPECT_EQ(decode_server_info(encode(sample_info())), sample_info());
}

// The budget of the design: at gamma = 8 at most 48 bytes up in ids, 24 bytes a token in qrow.
TEST(Wire, DraftsAreSmall) {
  Draft ids = sample_draft(WireMode::kIds, 8);
  ids.place = {.after = 60'000, .base = 250'000, .drawn = {}};
  ids.no_bonus = true;
  const Dialect dialect = sample_dialect(WireMode::kIds);
  const std::size_t ids_bytes = encode(DeviceMessage(ids), &dialect).size();
  EXPECT_LE(ids_bytes, 36U);
  EXPECT_LE(ids_bytes, 48U);

  const Dialect qrow = sample_dialect(WireMode::kQRow);
  for (const std::uint32_t count : {1U, 8U, kMaxDraft}) {
    Draft rows;
    for (std::uint32_t i = 0; i < count; ++i) {
      spec::SparseDist& row = rows.draft.push(0);
      row.clear();
      for (spec::Token t = 0; t < 64; ++t) {  // far apart and flat: the most expensive row
        row.storage().push_back({t * 2374, 1.0});
      }
      row.normalise();
      qrow.codec()->quantise(row);
      const spec::Token drawn = row.entries().back().token;
      rows.draft.truncate(i);
      std::swap(rows.draft.push(drawn), row);
    }
    rows.place = {.after = 60'000, .base = 250'000, .drawn = {}};
    rows.no_bonus = true;
    EXPECT_LE(encode(DeviceMessage(rows), &qrow).size(), 24 * count + 18);
  }
  Draft scalars = sample_draft(WireMode::kDssd, 8);
  const Dialect dssd = sample_dialect(WireMode::kDssd);
  EXPECT_LE(encode(DeviceMessage(scalars), &dssd).size(), 8 * 8 + 40U);
  // Other sessions cost an answer four bytes, and none where there are none.
  Verdict verdict{
      .number = 60'000, .accepted = 8, .next = 150'000, .row = {}, .timing = sample_timing()};
  EXPECT_LE(encode(EdgeMessage(verdict), dialect).size(), 28U);
  verdict.timing.other_tokens = verdict.timing.other_sessions = 0;
  EXPECT_LE(encode(EdgeMessage(verdict), dialect).size(), 26U);
}

v1::DeviceMessage on_the_wire(const DeviceMessage& message, WireMode mode) {
  const Dialect dialect = sample_dialect(mode);
  v1::DeviceMessage out;
  write(message, &dialect, out);
  return out;
}

struct Hostile {
  const char* name;
  WireMode mode;
  std::function<void(v1::Open&)> change;
  ErrorKind kind;
};

TEST(Wire, RefusesAnOpenThatCannotBe) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  constexpr double kInf = std::numeric_limits<double>::infinity();
  const auto ids = WireMode::kIds;
  const auto qrow = WireMode::kQRow;
  const Hostile table[] = {
      {"protocol 0", ids, [](v1::Open& o) { o.set_protocol(0); }, ErrorKind::kVersion},
      {"protocol 2", ids, [](v1::Open& o) { o.set_protocol(2); }, ErrorKind::kVersion},
      {"no mode", ids, [](v1::Open& o) { o.clear_mode(); }, ErrorKind::kMode},
      {"mode 9", ids, [](v1::Open& o) { o.set_mode(v1::WireMode(9)); }, ErrorKind::kMode},
      {"ids, but sampling", ids, [](v1::Open& o) { o.mutable_sampling()->set_temperature(1); },
       ErrorKind::kMode},
      {"rows, but greedy", qrow, [](v1::Open& o) { o.mutable_sampling()->set_temperature(0); },
       ErrorKind::kMode},
      {"NaN", qrow, [](v1::Open& o) { o.mutable_sampling()->set_temperature(kNan); },
       ErrorKind::kMode},
      {"infinite", qrow, [](v1::Open& o) { o.mutable_sampling()->set_temperature(kInf); },
       ErrorKind::kMode},
      {"negative", qrow, [](v1::Open& o) { o.mutable_sampling()->set_temperature(-1); },
       ErrorKind::kMode},
      {"top-p 0", qrow, [](v1::Open& o) { o.mutable_sampling()->set_top_p(0); }, ErrorKind::kMode},
      {"top-p NaN", qrow, [](v1::Open& o) { o.mutable_sampling()->set_top_p(kNan); },
       ErrorKind::kMode},
      {"min-p 2", qrow, [](v1::Open& o) { o.mutable_sampling()->set_min_p(2); }, ErrorKind::kMode},
      {"no sampling", ids, [](v1::Open& o) { o.clear_sampling(); }, ErrorKind::kMode},
      {"no row coding", qrow, [](v1::Open& o) { o.clear_row_coding(); }, ErrorKind::kMode},
      {"rows of 10^6 entries", qrow,
       [](v1::Open& o) { o.mutable_row_coding()->set_max_entries(1'000'000); }, ErrorKind::kMode},
      {"no vocabulary", ids, [](v1::Open& o) { o.set_n_vocab(0); }, ErrorKind::kVocabulary},
      {"a huge vocabulary", ids, [](v1::Open& o) { o.set_n_vocab(1U << 30U); },
       ErrorKind::kVocabulary},
      {"more common than all", ids, [](v1::Open& o) { o.set_common_vocab(kVocab + 1); },
       ErrorKind::kVocabulary},
      {"nothing common", ids, [](v1::Open& o) { o.set_common_vocab(0); }, ErrorKind::kVocabulary},
      {"no text", ids,
       [](v1::Open& o) {
         o.set_token_count(0);
         o.clear_tokens();
       },
       ErrorKind::kMalformed},
      {"bytes without tokens", ids, [](v1::Open& o) { o.set_tokens("xyz"); },
       ErrorKind::kMalformed},
      {"10^9 tokens", ids, [](v1::Open& o) { o.set_token_count(1'000'000'000); },
       ErrorKind::kTooLong},
      {"a token outside", ids, [](v1::Open& o) { o.set_tokens(std::string(9, '\xff')); },
       ErrorKind::kTokenRange},
      {"a short session name", WireMode::kDssd,
       [](v1::Open& o) { o.mutable_resume()->set_session("abc"); }, ErrorKind::kMalformed},
      {"a resumed text of 10^9 tokens", WireMode::kDssd,
       [](v1::Open& o) { o.mutable_resume()->set_count(1'000'000'000); }, ErrorKind::kMalformed},
  };
  for (const Hostile& hostile : table) {
    v1::DeviceMessage message = on_the_wire(sample_open(hostile.mode), hostile.mode);
    hostile.change(*message.mutable_open());
    const auto got = read(message, nullptr);
    ASSERT_FALSE(got.has_value()) << hostile.name;
    EXPECT_EQ(got.error().kind, hostile.kind) << hostile.name << ": " << got.error().message;
  }
}

struct HostileDraft {
  const char* name;
  WireMode mode;
  std::function<void(v1::Draft&)> change;
  ErrorKind kind;
};

TEST(Wire, RefusesADraftThatCannotBe) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  const auto ids = WireMode::kIds;
  const auto qrow = WireMode::kQRow;
  const auto dssd = WireMode::kDssd;
  const HostileDraft table[] = {
      {"10^6 tokens", ids, [](v1::Draft& d) { d.set_count(1'000'000); }, ErrorKind::kTooLong},
      {"65 tokens", ids, [](v1::Draft& d) { d.set_count(65); }, ErrorKind::kTooLong},
      {"fewer bytes", ids, [](v1::Draft& d) { d.clear_tokens(); }, ErrorKind::kMalformed},
      {"more bytes", ids, [](v1::Draft& d) { d.set_tokens(d.tokens() + "x"); },
       ErrorKind::kMalformed},
      {"a token outside", ids, [](v1::Draft& d) { d.set_tokens("\xff\xff\xff\xff\xff\xff\x3f"); },
       ErrorKind::kTokenRange},
      {"rows in ids", ids, [](v1::Draft& d) { d.set_rows("x"); }, ErrorKind::kMalformed},
      {"scalars in ids", ids, [](v1::Draft& d) { d.add_q(0.5); }, ErrorKind::kMalformed},
      {"drawn in ids", ids, [](v1::Draft& d) { d.set_drawn(1); }, ErrorKind::kUnexpected},
      {"nothing asked", ids,
       [](v1::Draft& d) {
         d.set_count(0);
         d.clear_tokens();
         d.set_no_bonus(true);
       },
       ErrorKind::kMalformed},
      {"ids in qrow", qrow, [](v1::Draft& d) { d.set_tokens("x"); }, ErrorKind::kMalformed},
      {"no rows", qrow, [](v1::Draft& d) { d.clear_rows(); }, ErrorKind::kRow},
      {"half a row", qrow,
       [](v1::Draft& d) { d.set_rows(d.rows().substr(0, d.rows().size() - 2)); }, ErrorKind::kRow},
      {"rows left over", qrow, [](v1::Draft& d) { d.set_rows(d.rows() + d.rows()); },
       ErrorKind::kMalformed},
      {"an entry that is not there", qrow, [](v1::Draft& d) { d.mutable_rows()->back() = '\x10'; },
       ErrorKind::kRow},
      {"noise for rows", qrow, [](v1::Draft& d) { d.set_rows(std::string(70, '\xff')); },
       ErrorKind::kRow},
      {"too few scalars", dssd, [](v1::Draft& d) { d.mutable_q()->RemoveLast(); },
       ErrorKind::kMalformed},
      {"NaN", dssd, [](v1::Draft& d) { d.set_q(1, kNan); }, ErrorKind::kRow},
      {"probability 0", dssd, [](v1::Draft& d) { d.set_q(0, 0.0); }, ErrorKind::kRow},
      {"probability 1.5", dssd, [](v1::Draft& d) { d.set_q(0, 1.5); }, ErrorKind::kRow},
      {"negative", dssd, [](v1::Draft& d) { d.set_q(0, -0.5); }, ErrorKind::kRow},
      {"drawn outside", dssd, [](v1::Draft& d) { d.set_drawn(1U << 31U); }, ErrorKind::kTokenRange},
  };
  for (const HostileDraft& hostile : table) {
    v1::DeviceMessage message = on_the_wire(sample_draft(hostile.mode), hostile.mode);
    hostile.change(*message.mutable_draft());
    const Dialect dialect = sample_dialect(hostile.mode);
    const auto got = read(message, &dialect);
    ASSERT_FALSE(got.has_value()) << hostile.name;
    EXPECT_EQ(got.error().kind, hostile.kind) << hostile.name << ": " << got.error().message;
  }
}

TEST(Wire, RefusesMessagesOutOfPlace) {
  const Dialect dialect = sample_dialect(WireMode::kIds);
  const auto kind = [](const WireResult<DeviceMessage>& got) {
    return got ? ErrorKind::kUnspecified : got.error().kind;
  };
  v1::DeviceMessage empty;
  EXPECT_EQ(kind(read(empty, nullptr)), ErrorKind::kMalformed);
  EXPECT_EQ(kind(read(empty, &dialect)), ErrorKind::kMalformed);
  const auto open = on_the_wire(sample_open(WireMode::kIds), WireMode::kIds);
  EXPECT_EQ(kind(read(open, &dialect)), ErrorKind::kUnexpected);
  const auto draft = on_the_wire(sample_draft(WireMode::kIds), WireMode::kIds);
  EXPECT_EQ(kind(read(draft, nullptr)), ErrorKind::kUnexpected);
  EXPECT_EQ(kind(read(on_the_wire(Close{}, WireMode::kIds), nullptr)), ErrorKind::kUnexpected);
  EXPECT_EQ(kind(read(on_the_wire(Burst{.place = {}, .count = 0}, WireMode::kIds), &dialect)),
            ErrorKind::kTooLong);
  EXPECT_EQ(
      kind(read(on_the_wire(Burst{.place = {}, .count = 1U << 30U}, WireMode::kIds), &dialect)),
      ErrorKind::kTooLong);
  EXPECT_EQ(kind(decode_device_message("\x0a\xff", nullptr)), ErrorKind::kMalformed);
}

TEST(Wire, TheDeviceTrustsTheEdgeNoMore) {
  const Dialect dialect = sample_dialect(WireMode::kIds);
  const auto refused = [&](const std::function<void(v1::EdgeMessage&)>& fill) {
    v1::EdgeMessage message;
    fill(message);
    const auto got = read(message, dialect);
    return got ? ErrorKind::kUnspecified : got.error().kind;
  };
  EXPECT_EQ(refused([](auto&) {}), ErrorKind::kUnexpected);
  EXPECT_EQ(refused([](auto& m) { m.mutable_opened()->set_session("short"); }),
            ErrorKind::kMalformed);
  EXPECT_EQ(refused([](auto& m) { m.mutable_verdict()->set_accepted(65); }), ErrorKind::kTooLong);
  EXPECT_EQ(refused([](auto& m) { m.mutable_verdict()->set_next(kVocab); }),
            ErrorKind::kTokenRange);
  EXPECT_EQ(refused([](auto& m) { m.mutable_verdict()->set_row("x"); }), ErrorKind::kMalformed);
  EXPECT_EQ(refused([](auto& m) { m.mutable_tokens()->set_count(1U << 31U); }),
            ErrorKind::kTooLong);
  EXPECT_EQ(refused([](auto& m) { m.mutable_tokens()->set_end(v1::BurstEnd(17)); }),
            ErrorKind::kMalformed);
  EXPECT_EQ(refused([](auto& m) { m.mutable_tokens()->set_count(3); }), ErrorKind::kMalformed);

  const auto info = [](const std::function<void(v1::InfoReply&)>& change) {
    v1::InfoReply reply;
    write(sample_info(), reply);
    change(reply);
    const auto got = read(reply);
    return got ? ErrorKind::kUnspecified : got.error().kind;
  };
  EXPECT_EQ(info([](auto& r) { r.mutable_model()->set_n_vocab(0); }), ErrorKind::kVocabulary);
  EXPECT_EQ(info([](auto& r) { r.mutable_model()->set_name(std::string(5000, 'x')); }),
            ErrorKind::kTooLong);
  EXPECT_EQ(info([](auto& r) { r.mutable_model()->add_end_of_generation(3); }),
            ErrorKind::kMalformed);
  EXPECT_EQ(info([](auto& r) { r.add_modes(v1::WireMode(9)); }), ErrorKind::kUnspecified);
}

}  // namespace
}  // namespace gelato::proto
