#include "gelato/peer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace gelato::cli {
namespace {

using ::testing::HasSubstr;

// Lines as llama.cpp v0.5.0 prints them.
constexpr const char* kLog =
    "0.00.090.264 I cmn          init: llama threadpool init, n_threads = 1\n"
    "0.00.255.215 I encoded    5 tokens in    0.002 seconds, speed: 2992.220 t/s\n"
    "0.00.255.237 I decoded   65 tokens in    0.126 seconds, speed:  514.550 t/s\n"
    "0.00.255.249 I \n"
    "0.00.255.261 I n_draft   = 4\n"
    "0.00.255.273 I n_predict = 65\n"
    "0.00.255.285 I n_drafted = 64\n"
    "0.00.255.297 I n_accept  = 49\n"
    "0.00.255.310 I accept    = 76.562%\n";

TEST(PeerLog, GivesCountsAndUnroundedTimes) {
  const auto cost = read_peer_log(kLog);
  ASSERT_TRUE(cost) << cost.error().message;
  EXPECT_EQ(cost->tokens, 65U);
  EXPECT_EQ(cost->drafted, 64U);
  EXPECT_EQ(cost->accepted, 49U);
  EXPECT_EQ(cost->rounds, 16U);  // each round adds one token to those it accepts
  EXPECT_DOUBLE_EQ(cost->prefill.value(), 5 / 2992.220);
  EXPECT_DOUBLE_EQ(cost->decode_tokens_per_s(), 514.550);
  EXPECT_FALSE(cost->decode.has_value());
}

TEST(PeerLog, TakesTheLastFigures) {
  const auto cost = read_peer_log("decoded    1 tokens in    9.000 seconds, speed:    0.111 t/s\n" +
                                  std::string(kLog));
  ASSERT_TRUE(cost);
  EXPECT_EQ(cost->tokens, 65U);
}

TEST(PeerLog, NamesWhatIsMissingOrMakesNoSense) {
  const auto error_without = [](std::string_view what, std::string_view instead = "") {
    std::string log = kLog;
    log.replace(log.find(what), what.size(), instead);
    const auto cost = read_peer_log(log);
    EXPECT_FALSE(cost) << what;
    EXPECT_EQ(cost.error().code, ErrorCode::kCorrupt);
    return cost.error().message;
  };
  EXPECT_THAT(error_without("encoded "), HasSubstr("\"encoded\""));
  EXPECT_THAT(error_without("decoded "), HasSubstr("\"decoded\""));
  EXPECT_THAT(error_without("n_drafted ="), HasSubstr("\"n_drafted\""));
  EXPECT_THAT(error_without("n_accept  ="), HasSubstr("\"n_accept\""));
  EXPECT_THAT(error_without("speed:  514.550", "speed:  inf"), HasSubstr("\"decoded\""));
  EXPECT_THAT(error_without("speed:  514.550", "speed:  0.0"), HasSubstr("\"decoded\""));
  EXPECT_THAT(error_without("decoded   65", "decoded  -65"), HasSubstr("\"decoded\""));
  EXPECT_THAT(error_without("n_accept  = 49", "n_accept  = 66"), HasSubstr("\"n_accept\""));
  EXPECT_THAT(error_without("n_accept  = 49", "n_accept  = nan"), HasSubstr("\"n_accept\""));
  EXPECT_THAT(read_peer_log("").error().message, HasSubstr("\"encoded\""));
}

}  // namespace
}  // namespace gelato::cli
