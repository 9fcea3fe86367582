#include "gelato/cli.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace gelato::cli {
namespace {

using ::testing::HasSubstr;

struct Parsed {
  bool goes_on = false;
  int exit_code = -1;
  std::int64_t number = 0;
  std::string path;
  std::string error;
};

Parsed parse_all(const std::vector<std::string>& arguments) {
  Parsed out;
  CLI::App app("Does nothing.", "gelato nothing");
  set_up(app);
  app.add_option("--number", out.number)->check(in_range(-1, 7));
  app.add_option("--model-draft", out.path);
  ::testing::internal::CaptureStderr();
  out.goes_on = parse(app, arguments, out.exit_code);
  out.error = ::testing::internal::GetCapturedStderr();
  return out;
}

TEST(Parse, TakesNumbersInTheirRangeOnly) {
  EXPECT_EQ(parse_all({"--number", "7"}).number, 7);
  EXPECT_EQ(parse_all({"--number=-1"}).number, -1);
  for (const char* text :
       {"8", "-2", "1.0", "1e0", "0x1", "", " 1", "+1", "99999999999999999999"}) {
    const Parsed parsed = parse_all({"--number", text});
    EXPECT_FALSE(parsed.goes_on) << text;
    EXPECT_EQ(parsed.exit_code, kUsage);
    EXPECT_THAT(parsed.error, HasSubstr("is not a whole number from -1 to 7"));
  }
}

TEST(Parse, KnowsLlamaCppsShortOptionsAndTakesTheLastOfSeveral) {
  EXPECT_EQ(parse_all({"-md", "a", "--model-draft", "b"}).path, "b");
}

TEST(Parse, SaysInOneSentenceWhatIsWrong) {
  const Parsed parsed = parse_all({"--nothing"});
  EXPECT_EQ(parsed.exit_code, kUsage);
  EXPECT_THAT(parsed.error, ::testing::MatchesRegex("gelato: [^\n]*see gelato nothing --help\n"));
}

TEST(PrintError, StaysOnOneLineAndDoesNotDriveTheTerminal) {
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(print_error({ErrorCode::kNotFound, "no file a\nb\x1b[31m"}), kFailed);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "gelato: no file a\uFFFDb\uFFFD[31m\n");
}

TEST(Output, KeepsTheFirstFailure) {
  Output closed(-1);
  EXPECT_FALSE(closed.write("x"));
  EXPECT_EQ(closed.status().error().code, ErrorCode::kIo);
}

}  // namespace
}  // namespace gelato::cli
