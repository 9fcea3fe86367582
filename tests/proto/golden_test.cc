// The messages of every released version still decode, into what they said.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/proto/golden/v1.h"
#include "tests/proto/samples.h"

namespace gelato::proto {
namespace {

std::string bytes_of(std::string_view name) {
  const auto found = std::find_if(golden_v1::kMessages.begin(), golden_v1::kMessages.end(),
                                  [name](const auto& m) { return m.name == name; });
  EXPECT_NE(found, golden_v1::kMessages.end()) << name;
  std::string bytes;
  for (std::size_t i = 0; i < found->hex.size(); i += 2) {
    bytes.push_back(
        static_cast<char>(std::stoi(std::string(found->hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

template <class Message>
Message device_message(std::string_view name, const Dialect* dialect) {
  const auto message = decode_device_message(bytes_of(name), dialect);
  EXPECT_TRUE(message.has_value()) << name << ": " << message.error().message;
  return std::get<Message>(*message);
}

template <class Message>
Message edge_message(std::string_view name) {
  const auto message = decode_edge_message(bytes_of(name), sample_dialect(WireMode::kDssd));
  EXPECT_TRUE(message.has_value()) << name << ": " << message.error().message;
  return std::get<Message>(*message);
}

TEST(GoldenV1, DeviceMessages) {
  for (const WireMode mode : {WireMode::kIds, WireMode::kQRow, WireMode::kDssd}) {
    const std::string name(to_string(mode));
    const Dialect dialect = sample_dialect(mode);
    const Open open = device_message<Open>("open " + name, nullptr);
    const Open want = sample_open(mode);
    EXPECT_EQ(open.protocol, 1U);
    EXPECT_EQ(open.model_fingerprint, want.model_fingerprint);
    EXPECT_EQ(open.n_vocab, want.n_vocab);
    EXPECT_EQ(open.common_vocab, want.common_vocab);
    EXPECT_EQ(open.vocabulary_fingerprint, want.vocabulary_fingerprint);
    EXPECT_EQ(open.mode, mode);
    EXPECT_EQ(open.sampling, want.sampling);
    EXPECT_EQ(open.seed, want.seed);
    EXPECT_EQ(open.tokens, want.tokens);
    EXPECT_EQ(open.resume, want.resume);

    const Draft draft = device_message<Draft>("draft " + name, &dialect);
    const Draft sent = sample_draft(mode);
    EXPECT_EQ(draft.place, sent.place);
    EXPECT_EQ(draft.no_bonus, sent.no_bonus);
    EXPECT_EQ(draft.q, sent.q);
    EXPECT_THAT(draft.draft.tokens(), ::testing::ElementsAreArray(sent.draft.tokens()));
    if (mode == WireMode::kQRow) {
      EXPECT_EQ(open.rows.max_entries, want.rows.max_entries);
      EXPECT_EQ(open.rows.weight_bits, want.rows.weight_bits);
      EXPECT_EQ(open.rows.max_bytes, want.rows.max_bytes);
      EXPECT_THAT(draft.draft.rows(), ::testing::ElementsAreArray(sent.draft.rows()));
    }
  }
  const Dialect dialect = sample_dialect(WireMode::kDssd);
  const Burst burst = device_message<Burst>("burst", &dialect);
  EXPECT_EQ(burst.place, (Place{.after = 3, .base = 20, .drawn = 5}));
  EXPECT_EQ(burst.count, 64U);
  EXPECT_EQ(burst.chunk, 4U);
  device_message<Cancel>("cancel", &dialect);
  device_message<Close>("close", &dialect);
}

TEST(GoldenV1, EdgeMessages) {
  const Opened opened = edge_message<Opened>("opened");
  EXPECT_EQ(opened.session[15], 16);
  EXPECT_EQ(opened.committed, 5U);
  EXPECT_EQ(opened.reused, 4U);
  EXPECT_EQ(opened.limits, sample_info().limits);
  EXPECT_EQ(opened.timing.sessions, 7U);

  const Verdict next = edge_message<Verdict>("verdict next");
  EXPECT_EQ(next.number, 3U);
  EXPECT_EQ(next.accepted, 2U);
  EXPECT_EQ(next.next, 150'000);
  EXPECT_NEAR(next.timing.verify.value(), 0.098765, 1e-9);
  EXPECT_EQ(edge_message<Verdict>("verdict row").row.size(), 13U);
  const Verdict whole = edge_message<Verdict>("verdict whole");
  EXPECT_EQ(whole.next, std::nullopt);
  EXPECT_TRUE(whole.row.empty());

  EXPECT_EQ(edge_message<Stale>("stale").number, 12U);
  const Tokens tokens = edge_message<Tokens>("tokens");
  EXPECT_EQ(tokens.tokens, (std::vector<spec::Token>{5, 150'000}));
  EXPECT_EQ(tokens.end, BurstEnd::kEndOfText);
  const Closed closed = edge_message<Closed>("closed");
  EXPECT_EQ(closed.committed, 100U);
  EXPECT_EQ(closed.busy, Seconds(1.5));
}

TEST(GoldenV1, InfoAndError) {
  EXPECT_EQ(decode_server_info(bytes_of("info")), sample_info());
  const WireError error = decode_error(bytes_of("error"));
  EXPECT_EQ(error.kind, ErrorKind::kVersion);
  EXPECT_EQ(error.message, "update");
  EXPECT_EQ(error.retry_after, Seconds(0.5));
}

// What this version writes is what the frozen bytes are: nothing has crept in unnoticed. A version
// that adds a field to one of the samples compares with its own file instead.
TEST(GoldenV1, IsWhatIsWritten) {
  for (const WireMode mode : {WireMode::kIds, WireMode::kQRow, WireMode::kDssd}) {
    const std::string name(to_string(mode));
    const Dialect dialect = sample_dialect(mode);
    EXPECT_EQ(encode(DeviceMessage(sample_open(mode)), &dialect), bytes_of("open " + name));
    EXPECT_EQ(encode(DeviceMessage(sample_draft(mode)), &dialect), bytes_of("draft " + name));
  }
  EXPECT_EQ(encode(sample_info()), bytes_of("info"));
}

}  // namespace
}  // namespace gelato::proto
