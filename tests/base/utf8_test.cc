#include "gelato/base/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace gelato {
namespace {

TEST(Utf8, AcceptsEveryLength) {
  const std::string text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x8D\xA8";  // a, e acute, euro, ice cream
  EXPECT_EQ(valid_utf8_prefix(text), text.size());
  EXPECT_EQ(valid_utf8_prefix(""), 0U);
}

TEST(Utf8, StopsBeforeOverlongSurrogateTooLargeAndStrayBytes) {
  for (const std::string bad : {"\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80",
                                "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\x80", "\xFF", "\xF5"}) {
    EXPECT_EQ(valid_utf8_prefix("ok" + bad), 2U);
    EXPECT_FALSE(is_incomplete_utf8(bad));
  }
}

TEST(Utf8, KnowsWhatMayStillBecomeACharacter) {
  EXPECT_TRUE(is_incomplete_utf8("\xE2\x82"));
  EXPECT_TRUE(is_incomplete_utf8("\xF0\x9F\x8D"));
  EXPECT_FALSE(is_incomplete_utf8("\xE2\x82\xAC"));
  EXPECT_FALSE(is_incomplete_utf8("\xE2x"));
  EXPECT_FALSE(is_incomplete_utf8(""));
  EXPECT_EQ(valid_utf8_prefix("a\xE2\x82"), 1U);
}

TEST(Utf8, ReplacesEachBadByte) {
  EXPECT_EQ(replace_invalid_utf8("a\xFF\x80z"), "a\xEF\xBF\xBD\xEF\xBF\xBDz");
  EXPECT_EQ(replace_invalid_utf8("a\xE2\x82"), "a\xEF\xBF\xBD\xEF\xBF\xBD");
}

}  // namespace
}  // namespace gelato
