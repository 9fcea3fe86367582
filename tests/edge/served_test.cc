#include <gtest/gtest.h>

#include <fstream>

#include "gelato/edge/edge_server.h"
#include "gelato/edge/served_model.h"
#include "tests/edge/toy_target.h"
#include "tests/support/temp_dir.h"

namespace gelato::edge {
namespace {

using proto::ErrorKind;

proto::ModelCard card(spec::Token n_vocab) {
  proto::ModelCard out;
  out.name = "m";
  out.n_vocab = n_vocab;
  return out;
}

TEST(ServedModel, ASmallerVocabularyFitsUpToPadding) {
  spec::Vocabulary vocabulary = toy_vocabulary(8);
  vocabulary.texts.resize(200, "more");
  ServedModel model(card(200), vocabulary);
  proto::Open open = toy_open(200, proto::WireMode::kIds, {1});
  const auto opens_with = [&](spec::Token common) {
    open.common_vocab = common;
    open.vocabulary_fingerprint = spec::fingerprint(vocabulary, common);
    const auto ok = model.check(open);
    return ok ? ErrorKind::kUnspecified : ok.error().kind;
  };
  EXPECT_EQ(opens_with(200), ErrorKind::kUnspecified);
  EXPECT_EQ(opens_with(200 - spec::kMaxPadding), ErrorKind::kUnspecified);
  EXPECT_EQ(opens_with(200 - spec::kMaxPadding - 1), ErrorKind::kVocabulary);
  EXPECT_EQ(opens_with(150), ErrorKind::kUnspecified);
  open.vocabulary_fingerprint = spec::fingerprint(vocabulary, 151);
  EXPECT_EQ(model.check(open).error().kind, ErrorKind::kVocabulary);
}

TEST(ServedModel, RowsThatCouldNotBeSentAreRefused) {
  constexpr auto kLarge = static_cast<spec::Token>(proto::kMaxRowEntries) + 1;
  spec::Vocabulary vocabulary;
  vocabulary.texts.resize(kLarge);
  ServedModel model(card(kLarge), vocabulary);
  proto::Open open = toy_open(kLarge, proto::WireMode::kDssd, {1});
  open.common_vocab = kLarge;
  open.vocabulary_fingerprint = spec::fingerprint(vocabulary);
  EXPECT_EQ(model.check(open).error().kind, ErrorKind::kMode);
  open.sampling.top_k = 40;
  EXPECT_TRUE(model.check(open).has_value());
  open.sampling.top_k = 0;
  open.mode = proto::WireMode::kQRow;
  EXPECT_TRUE(model.check(open).has_value());
}

TEST(ServedModel, ItsFileHasAFingerprint) {
  const testing::TempDir folder;
  const auto fingerprint = [&](const std::string& bytes) {
    const auto path = folder.path() / "model";
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    const auto value = fingerprint_file(path);
    EXPECT_TRUE(value.has_value()) << value.error().message;
    return value.value_or(0);
  };
  std::string bytes(1'000'000, 'x');
  const std::uint64_t whole = fingerprint(bytes);
  EXPECT_EQ(fingerprint(bytes), whole);
  bytes.back() = 'y';
  EXPECT_NE(fingerprint(bytes), whole);
  bytes.back() = 'x';
  bytes.front() = 'y';
  EXPECT_NE(fingerprint(bytes), whole);
  bytes.front() = 'x';
  std::fill(bytes.begin() + 500'000, bytes.begin() + 520'000, 'y');  // longer than a gap
  EXPECT_NE(fingerprint(bytes), whole);
  EXPECT_NE(fingerprint(std::string(1'000'001, 'x')), whole);
  EXPECT_NE(fingerprint(""), fingerprint("x"));
  EXPECT_EQ(fingerprint_file(folder.path() / "none").error().code, ErrorCode::kNotFound);
}

TEST(Addresses, AreHostAndPort) {
  const auto address = parse_address("10.0.0.7:8470");
  ASSERT_TRUE(address.has_value());
  EXPECT_EQ(address->host, "10.0.0.7");
  EXPECT_EQ(address->port, 8470);
  EXPECT_EQ(parse_address("[::1]:0")->host, "::1");
  for (const char* bad : {"", "host", ":80", "host:", "host:x", "host:70000", "host:-1", "::1:80",
                          "[::1]", "[host]:80"}) {
    EXPECT_FALSE(parse_address(bad).has_value()) << bad;
  }
  EXPECT_TRUE(is_loopback("127.0.0.1"));
  EXPECT_TRUE(is_loopback("127.9.9.9"));
  EXPECT_TRUE(is_loopback("::1"));
  EXPECT_TRUE(is_loopback("localhost"));
  EXPECT_FALSE(is_loopback("0.0.0.0"));
  EXPECT_FALSE(is_loopback("::"));
  EXPECT_FALSE(is_loopback("127.0.0.1.example.org"));
}

}  // namespace
}  // namespace gelato::edge
