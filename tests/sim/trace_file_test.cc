#include "gelato/sim/trace_file.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <string>

#include "tests/sim/trace_samples.h"
#include "tests/support/temp_dir.h"

namespace gelato::sim {
namespace {

using testing::sample_trace;
using testing::TempDir;

std::string encoded(const DraftTrace& trace) { return encode_trace(trace).value(); }

Error refused(const std::string& bytes) {
  const auto trace = decode_trace(bytes, "some.trace");
  return trace ? Error{ErrorCode::kInternal, "was read"} : trace.error();
}

bool mentions(const Error& error, std::string_view part) {
  return error.message.find(part) != std::string::npos;
}

TEST(TraceFile, GivesBackWhatItHolds) {
  DraftTrace trace = sample_trace();
  trace.tokens[0].entropy = std::numeric_limits<float>::denorm_min();
  trace.tokens[1].top1 = std::nextafter(1.0F, 0.0F);
  trace.tokens[2].top_p = 65535;
  trace.tokens[3] = {};  // the draft ended its text
  const DraftTrace copy = decode_trace(encoded(trace), "some.trace").value();
  EXPECT_EQ(copy, trace);
  for (std::size_t i = 0; i < trace.tokens.size(); ++i) {
    EXPECT_EQ(std::memcmp(&copy.tokens[i].entropy, &trace.tokens[i].entropy, sizeof(float)), 0);
  }
  EXPECT_EQ(encoded(copy), encoded(trace));
}

TEST(TraceFile, IsReadFromDisk) {
  const TempDir folder;
  const auto path = folder.path() / "a.trace";
  const DraftTrace trace = sample_trace(5, 24);
  std::ofstream(path, std::ios::binary) << encoded(trace);
  EXPECT_EQ(read_trace(path).value(), trace);

  const auto missing = read_trace(folder.path() / "b.trace").error();
  EXPECT_EQ(missing.code, ErrorCode::kNotFound);
  EXPECT_TRUE(mentions(missing, "b.trace")) << missing.message;
  EXPECT_EQ(read_trace(folder.path()).error().code, ErrorCode::kInvalidArgument);
  std::ofstream(folder.path() / "empty").flush();
  EXPECT_EQ(read_trace(folder.path() / "empty").error().code, ErrorCode::kCorrupt);
}

TEST(TraceFile, SaysThatItIsOfAnotherVersion) {
  std::string bytes = encoded(sample_trace());
  bytes[8] = 2;
  const Error error = refused(bytes);
  EXPECT_EQ(error.code, ErrorCode::kUnsupported);
  EXPECT_EQ(error.message,
            "some.trace: it has version 2 of the trace format and this program reads version 1; "
            "record it again with gelato trace record of this version");
}

TEST(TraceFile, SaysThatItIsCutShort) {
  const std::string whole = encoded(sample_trace());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Error error = refused(whole.substr(0, size));
    ASSERT_EQ(error.code, ErrorCode::kCorrupt) << size;
    ASSERT_TRUE(mentions(error, size < 8 ? "not a draft trace" : "cut short")) << error.message;
  }
}

// Some bits of a zstd frame mean nothing; every other bit that flips is noticed.
TEST(TraceFile, NeverGivesAnotherTraceForDamagedBytes) {
  const DraftTrace trace = sample_trace();
  const std::string whole = encoded(trace);
  std::size_t harmless = 0;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bytes = whole;
      bytes[i] = static_cast<char>(bytes[i] ^ (1 << bit));
      if (const auto read = decode_trace(bytes, "some.trace")) {
        ASSERT_EQ(*read, trace) << "byte " << i;
        ++harmless;
      }
    }
  }
  EXPECT_LT(harmless, whole.size() / 10);
  EXPECT_TRUE(mentions(refused(whole + "x"), "something follows"));
}

TEST(TraceFile, RefusesMoreThanItsLimits) {
  std::string bytes = encoded(sample_trace());
  const std::uint64_t huge = kMaxTraceContent + 1;
  std::memcpy(bytes.data() + 12, &huge, 8);
  EXPECT_EQ(refused(bytes).code, ErrorCode::kLimitExceeded);

  DraftTrace trace = sample_trace();
  trace.machine.assign(kMaxTraceText + 1, 'x');
  EXPECT_EQ(encode_trace(trace).error().code, ErrorCode::kInvalidArgument);
}

TEST(CheckTrace, NamesTheRuleThatIsBroken) {
  const auto broken = [](auto change) {
    DraftTrace trace = sample_trace();
    change(trace);
    const auto ok = check_trace(trace);
    return ok ? std::string() : ok.error().message;
  };
  using T = DraftTrace;
  EXPECT_EQ(broken([](T&) {}), "");
  EXPECT_NE(broken([](T& t) { t.depth = 0; }), "");
  EXPECT_NE(broken([](T& t) { t.depth = 65; }), "");
  EXPECT_NE(broken([](T& t) { t.top_p = 1.5; }), "");
  EXPECT_NE(broken([](T& t) { t.verify.pop_back(); }), "");
  EXPECT_NE(broken([](T& t) { t.draft_token = Seconds(-1); }), "");
  EXPECT_NE(broken([](T& t) { t.prompts[1].first = 4; }), "");
  EXPECT_NE(broken([](T& t) { t.prompts.pop_back(); }), "");
  EXPECT_NE(broken([](T& t) { t.prompts.clear(); }), "");
  EXPECT_NE(broken([](T& t) { t.tokens.pop_back(); }), "");
  EXPECT_NE(broken([](T& t) { t.target_tokens[6] = 100; }).find("position 6"), std::string::npos);
  EXPECT_NE(broken([](T& t) { t.target_tokens[0] = -1; }), "");
  EXPECT_NE(broken([](T& t) { t.tokens[9].entropy = std::nanf(""); }), "");
  EXPECT_NE(broken([](T& t) { t.tokens[9].top1 = 1.1F; }), "");
  EXPECT_NE(broken([](T& t) { t.tokens[9].margin = -0.1F; }), "");
  EXPECT_NE(broken([](T& t) { t.tokens[9].match = 2; }), "");
  // A token after the one that is none; a match past the end of the text.
  EXPECT_NE(broken([](T& t) { t.tokens[2] = {}; }), "");
  EXPECT_NE(broken([](T& t) { t.tokens[4 * 4 + 1].match = 1; }), "");
}

}  // namespace
}  // namespace gelato::sim
