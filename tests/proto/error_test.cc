#include "gelato/proto/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace gelato::proto {
namespace {

std::vector<ErrorKind> all_kinds() {
  std::vector<ErrorKind> out;
  for (int i = 0; i <= static_cast<int>(kLastErrorKind); ++i) {
    out.push_back(static_cast<ErrorKind>(i));
  }
  return out;
}

TEST(WireErrors, EveryKindHasItsNameAndComesBack) {
  std::set<std::string_view> names;
  for (const ErrorKind kind : all_kinds()) {
    names.insert(to_string(kind));
    const WireError error{kind, "what happened", Seconds(0.25)};
    const WireError back = decode_error(encode_error(error));
    EXPECT_EQ(back.kind, kind);
    EXPECT_EQ(back.message, "what happened");
    EXPECT_EQ(back.retry_after, Seconds(0.25));
    EXPECT_EQ(to_error(error).message, "what happened");
    EXPECT_GE(status_code(kind), 1);   // never OK
    EXPECT_LE(status_code(kind), 16);  // canonical
  }
  EXPECT_EQ(names.size(), all_kinds().size());
}

TEST(WireErrors, WhoDecidesOnThemFindsTheKindOfFailure) {
  EXPECT_EQ(to_error({ErrorKind::kBusy, "", {}}).code, ErrorCode::kUnavailable);
  EXPECT_EQ(to_error({ErrorKind::kVocabulary, "", {}}).code, ErrorCode::kUnsupported);
  EXPECT_EQ(to_error({ErrorKind::kUnauthenticated, "", {}}).code, ErrorCode::kPermissionDenied);
  EXPECT_EQ(to_error({ErrorKind::kContextFull, "", {}}).code, ErrorCode::kLimitExceeded);
}

TEST(WireErrors, ReadsAnything) {
  EXPECT_EQ(decode_error("\xff\xff\xff").kind, ErrorKind::kUnspecified);
  EXPECT_EQ(decode_error(std::string(100'000, 'x')).kind, ErrorKind::kUnspecified);
  // Kind 99, of a later version, keeps its sentence.
  const WireError later = decode_error(std::string("\x08\x63\x12\x02hi", 6));
  EXPECT_EQ(later.kind, ErrorKind::kUnspecified);
  EXPECT_EQ(later.message, "hi");
}

TEST(WireErrors, CutsSentencesAndRepairsThem) {
  const std::string encoded = encode_error({ErrorKind::kBusy, std::string(9000, 'a'), {}});
  EXPECT_EQ(decode_error(encoded).message.size(), 4096U);
  EXPECT_EQ(decode_error(encode_error({ErrorKind::kBusy, "a\xff", {}})).message, "a\xEF\xBF\xBD");
}

TEST(WireErrors, AStatusOfSomebodyElseIsUnderstood) {
  EXPECT_EQ(from_status(14, "connection refused").kind, ErrorKind::kBusy);
  EXPECT_GT(from_status(14, "").retry_after, Seconds());
  EXPECT_EQ(from_status(8, "message larger than max").kind, ErrorKind::kTooLong);
  EXPECT_EQ(from_status(12, "").kind, ErrorKind::kVersion);
  EXPECT_EQ(from_status(16, "").kind, ErrorKind::kUnauthenticated);
  EXPECT_EQ(from_status(1, "").kind, ErrorKind::kCancelled);
  EXPECT_EQ(from_status(4, "").kind, ErrorKind::kDeadline);
  EXPECT_EQ(from_status(-7, "?").kind, ErrorKind::kUnspecified);
}

}  // namespace
}  // namespace gelato::proto
