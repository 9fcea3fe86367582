#include "gelato/report/output.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/temp_dir.h"

namespace gelato::report {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

std::string content(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class OutputTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  gelato::testing::TempDir temporary_;
  const fs::path& folder_ = temporary_.path();
};

TEST_F(OutputTest, WritesANewFile) {
  ASSERT_TRUE(write_json(folder_ / "r.json", {{"tokens", 3}}));
  EXPECT_EQ(content(folder_ / "r.json"), "{\n  \"tokens\": 3\n}\n");
  EXPECT_EQ(files(), 1U);
}

TEST_F(OutputTest, ReplacesAFileAndKeepsItsMode) {
  const fs::path path = folder_ / "r.json";
  std::ofstream(path) << "a longer text than the new one";
  ASSERT_EQ(chmod(path.c_str(), 0640), 0);
  ASSERT_TRUE(write_output(path, "new"));
  EXPECT_EQ(content(path), "new");
  EXPECT_EQ(fs::status(path).permissions(), fs::perms(0640));
  EXPECT_EQ(files(), 1U);
}

TEST_F(OutputTest, FollowsALinkInsteadOfReplacingIt) {
  const fs::path path = folder_ / "real.json";
  std::ofstream(path) << "old";
  fs::create_symlink("real.json", folder_ / "link.json");
  ASSERT_TRUE(write_output(folder_ / "link.json", "new"));
  EXPECT_EQ(content(path), "new");
  EXPECT_TRUE(fs::is_symlink(folder_ / "link.json"));
}

TEST_F(OutputTest, WhatAKilledRunLeftIsNotInTheWay) {
  std::ofstream(folder_ / "r.json.0.tmp") << "left behind";
  ASSERT_TRUE(write_output(folder_ / "r.json", "new"));
  EXPECT_EQ(content(folder_ / "r.json"), "new");
  EXPECT_EQ(content(folder_ / "r.json.0.tmp"), "left behind");
}

TEST_F(OutputTest, MinusIsStandardOutput) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  ASSERT_TRUE(write_json("-", {1, 2}, ends[1]));
  close(ends[1]);
  std::string text(64, '\0');
  text.resize(static_cast<std::size_t>(read(ends[0], text.data(), text.size())));
  close(ends[0]);
  EXPECT_EQ(text, "[\n  1,\n  2\n]\n");
}

TEST_F(OutputTest, BytesAndNumbersThatJsonCannotHoldAreReplaced) {
  ASSERT_TRUE(write_json(folder_ / "r.json",
                         {{"n", std::numeric_limits<double>::quiet_NaN()}, {"text", "a\xff"}}));
  EXPECT_EQ(content(folder_ / "r.json"), "{\n  \"n\": null,\n  \"text\": \"a\uFFFD\"\n}\n");
}

TEST_F(OutputTest, SaysWhatIsWrongWithThePlace) {
  const auto missing = write_output(folder_ / "no" / "r.json", "x");
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().message, HasSubstr("create its folder"));
  EXPECT_EQ(write_output(folder_, "x").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(write_output("", "x").error().code, ErrorCode::kInvalidArgument);
  std::ofstream(folder_ / "file") << "x";
  EXPECT_EQ(write_output(folder_ / "file" / "r.json", "x").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(files(), 1U);
}

TEST_F(OutputTest, AnImpossiblePlaceIsKnownBeforeTheWork) {
  EXPECT_EQ(check_output(folder_ / "no" / "r.json").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(check_output(folder_).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(check_output("").error().code, ErrorCode::kInvalidArgument);
  std::ofstream(folder_ / "file") << "x";
  EXPECT_EQ(check_output(folder_ / "file" / "r.json").error().code, ErrorCode::kNotFound);
  for (const char* place : {"file", "new"}) {
    EXPECT_TRUE(check_output(folder_ / place)) << place;
  }
  EXPECT_TRUE(check_output("-"));
  EXPECT_TRUE(check_output("/dev/full"));
  EXPECT_EQ(content(folder_ / "file"), "x");
  EXPECT_EQ(files(), 1U);
}

TEST_F(OutputTest, AFullDiskIsAnErrorThatSaysSo) {
  const auto full = write_output("/dev/full", "x");
  EXPECT_EQ(full.error().code, ErrorCode::kIo);
  EXPECT_THAT(full.error().message, HasSubstr("free some space"));
}

TEST_F(OutputTest, AFolderThatIsNotOursIsAnError) {
  // The kernel's folders refuse new files, root's too.
  const auto refused = write_output("/proc/r.json", "x");
  EXPECT_THAT(refused.error().message, HasSubstr("/proc/r.json"));
}

TEST_F(OutputTest, AClosedStandardOutputIsAnError) {
  const int file = open("/dev/null", O_WRONLY | O_CLOEXEC);
  close(file);
  const auto closed = write_output("-", "x", file);
  EXPECT_EQ(closed.error().code, ErrorCode::kIo);
  EXPECT_THAT(closed.error().message, HasSubstr("standard output"));
}

TEST_F(OutputTest, AReaderThatWentAwayIsAnError) {
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  close(ends[0]);
  const auto gone = write_output("-", "x", ends[1]);
  close(ends[1]);
  std::signal(SIGPIPE, before);
  EXPECT_EQ(gone.error().code, ErrorCode::kIo);
  EXPECT_THAT(gone.error().message, HasSubstr("must stay"));
}

}  // namespace
}  // namespace gelato::report
