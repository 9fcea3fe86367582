#include "gelato/edge/authenticator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temp_dir.h"

namespace gelato::edge {
namespace {

constexpr const char* kAnna = "anna-token-0123456789";
constexpr const char* kBen = "ben-token-0123456789";

TEST(TokenFile, Parses) {
  const auto clients = parse_token_file(
      "# devices\n\n  anna  anna-token-0123456789\r\n"
      "ben\tben-token-0123456789\t2027-01-31\n"
      "c.l_e-o cleo-token-0123456789 2027-01-31T12:00:01Z");
  ASSERT_TRUE(clients.has_value()) << clients.error().message;
  ASSERT_EQ(clients->size(), 3U);
  EXPECT_EQ((*clients)[0].name, "anna");
  EXPECT_EQ((*clients)[0].expires, std::nullopt);
  EXPECT_EQ((*clients)[1].expires, 1801353600);  // date -u -d 2027-01-31 +%s
  EXPECT_EQ((*clients)[2].name, "c.l_e-o");
  EXPECT_EQ((*clients)[2].expires, 1801353600 + 12 * 3600 + 1);
}

TEST(TokenFile, KnowsTheCalendar) {
  const auto seconds = [](const std::string& time) {
    const auto clients = parse_token_file("x 0123456789abcdef " + time);
    return clients ? clients->front().expires.value_or(-1) : -2;
  };
  EXPECT_EQ(seconds("1970-01-01"), 0);
  EXPECT_EQ(seconds("2000-02-29"), 951782400);
  EXPECT_EQ(seconds("2000-03-01"), 951868800);
  EXPECT_EQ(seconds("2100-03-01T00:00:00Z"), 4107542400);
  for (const char* bad :
       {"2027-13-01", "2027-00-01", "2027-01-32", "2027-01-31T24:00:00Z", "2027-01-31T12:60:00Z",
        "2027-01-31 12:00:00", "tomorrow", "2027-1-31", "-027-01-31", "2027-01-31T12:00:00"}) {
    EXPECT_EQ(seconds(bad), -2) << bad;
  }
}

TEST(TokenFile, SaysWhichLineIsWrong) {
  const auto error = [](const std::string& text) {
    const auto clients = parse_token_file(text);
    return clients ? "" : clients.error().message;
  };
  EXPECT_EQ(error("anna"), "line 1 is not NAME TOKEN [EXPIRES]");
  EXPECT_EQ(error("#\n\nan/na anna-token-0123456789"), "line 3 is not NAME TOKEN [EXPIRES]");
  EXPECT_EQ(error("a b c d"), "line 1 is not NAME TOKEN [EXPIRES]");
  EXPECT_EQ(error("anna short"), "line 1 has a token that is not 16 to 512 printable characters");
  EXPECT_EQ(error("anna " + std::string(513, 'x')),
            "line 1 has a token that is not 16 to 512 printable characters");
  EXPECT_EQ(error("anna anna-token-0123\xc3\xa4"),
            "line 1 has a token that is not 16 to 512 printable characters");
  EXPECT_EQ(error("anna 0123456789abcdef\nben 0123456789abcdef"),
            "line 2 repeats the name or the token of a line before");
  EXPECT_EQ(error("anna 0123456789abcdef\nanna 0123456789abcdefg"),
            "line 2 repeats the name or the token of a line before");
  EXPECT_EQ(parse_token_file(std::string(kMaxTokenFileBytes + 1, '#')).error().code,
            ErrorCode::kLimitExceeded);
}

// Keeps what was logged.
class Lines final : public Log {
 public:
  void write(LogLevel /*level*/, std::string_view line) override { lines.emplace_back(line); }
  std::vector<std::string> lines;
};

class Tokens : public ::testing::Test {
 protected:
  void write(const std::string& text) {
    // Written beside and moved into place, as whoever manages tokens should; another file each
    // time.
    const auto fresh = folder_.path() / "fresh";
    std::ofstream(fresh) << text;
    std::filesystem::rename(fresh, file_);
  }
  void create() {
    auto made = Authenticator::create(
        file_, [this] { return now_; }, log_);
    ASSERT_TRUE(made.has_value()) << made.error().message;
    tokens_ = std::move(*made);
  }
  std::string client(const std::string& authorization) {
    const auto name = tokens_->client(authorization);
    return name ? *name : "refused: " + name.error().message;
  }

  testing::TempDir folder_;
  std::filesystem::path file_ = folder_.path() / "tokens";
  std::int64_t now_ = 1'000'000;
  Lines log_;
  std::unique_ptr<Authenticator> tokens_;
};

TEST_F(Tokens, NameTheClient) {
  write(std::string("anna ") + kAnna + "\nben " + kBen + "\n");
  create();
  EXPECT_EQ(client(std::string("Bearer ") + kAnna), "anna");
  EXPECT_EQ(client(std::string("Bearer ") + kBen), "ben");
  EXPECT_EQ(client("Bearer nobody-knows-this-one"), "refused: this edge does not know the token");
  EXPECT_EQ(client(std::string("Bearer ") + kAnna + " "),
            "refused: this edge does not know the token");
  EXPECT_EQ(client("Bearer "), "refused: this edge does not know the token");
  for (const std::string& other : {std::string(), std::string(kAnna), std::string("Basic abc")}) {
    EXPECT_THAT(client(other), ::testing::HasSubstr("asks for a token")) << other;
  }
}

TEST_F(Tokens, Expire) {
  write(std::string("anna ") + kAnna + " 1970-01-13\n");  // 12 days: 1 036 800 s
  create();
  now_ = 1'036'799;
  EXPECT_EQ(client(std::string("Bearer ") + kAnna), "anna");
  now_ = 1'036'800;
  EXPECT_EQ(client(std::string("Bearer ") + kAnna),
            "refused: the token of anna has expired; ask for a new one");
}

TEST_F(Tokens, AreReadAgainWhenTheFileChanges) {
  write(std::string("anna ") + kAnna + "\n");
  create();
  write(std::string("ben ") + kBen + "\n");
  EXPECT_EQ(client(std::string("Bearer ") + kAnna), "refused: this edge does not know the token");
  EXPECT_EQ(client(std::string("Bearer ") + kBen), "ben");
  EXPECT_THAT(log_.lines, ::testing::ElementsAre("event=tokens clients=1"));
}

TEST_F(Tokens, StayWhenTheFileBreaksOrVanishes) {
  write(std::string("anna ") + kAnna + "\n");
  create();
  write("nonsense");
  EXPECT_EQ(client(std::string("Bearer ") + kAnna), "anna");
  ASSERT_EQ(log_.lines.size(), 1U);  // said once, not at every call
  EXPECT_EQ(client(std::string("Bearer ") + kAnna), "anna");
  EXPECT_EQ(log_.lines.size(), 1U);
  std::filesystem::remove(file_);
  EXPECT_EQ(client(std::string("Bearer ") + kAnna), "anna");
  write(std::string("ben ") + kBen + "\n");
  EXPECT_EQ(client(std::string("Bearer ") + kBen), "ben");
}

TEST_F(Tokens, NeedAFileToBeginWith) {
  const auto missing = Authenticator::create(
      file_, [] { return 0; }, log_);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  write("nonsense");
  EXPECT_EQ(Authenticator::create(
                file_, [] { return 0; }, log_)
                .error()
                .code,
            ErrorCode::kCorrupt);
  EXPECT_FALSE(Authenticator::create(
                   folder_.path(), [] { return 0; }, log_)
                   .has_value());
}

}  // namespace
}  // namespace gelato::edge
