// Sampled texts across an edge are distributed as the target's own, in both wire modes, whatever
// the link does: whole texts against exact enumeration.
//
// False alarms: rejection below a p-value of 1e-6, one statistic per test and mode, 16 in all.
// Seeds are fixed.
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "tests/device/chunk_policy.h"
#include "tests/device/toy_session.h"
#include "tests/support/chi_square.h"

namespace gelato::device {
namespace {

using proto::WireMode;
using toy::ToyModel;

constexpr double kFalseAlarm = 1e-6;
constexpr std::string_view kChunks = "chunks";  // ChunkPolicy
constexpr std::uint64_t kTexts = 20000;
constexpr std::size_t kLength = 4;

struct Law {
  WireMode mode = WireMode::kQRow;
  std::string policy = "static:3";
  double fault_rate = 0.0;
  std::uint64_t uniforms_off_by = 0;
};

class RemoteLawTest : public ::testing::Test {
 protected:
  double p_value(const Law& law) {
    const ToyModel target =
        ToyModel::random({.n_vocab = 3, .order = 2, .sharpness = 2.0, .zero_share = 0.1}, 3);
    const ToyModel draft = ToyModel::mix(
        target, ToyModel::random({.n_vocab = 3, .order = 2, .sharpness = 2.0}, 4), 0.7);
    const std::vector<spec::Token> prompt{1, 0};
    const auto expected = target.text_distribution(prompt, kLength);
    std::vector<std::uint64_t> counts(expected.size());
    Rng faults(5, "faults");
    for (std::uint64_t text = 0; text < kTexts; ++text) {
      ToySession session(target, draft, law.mode, text);
      session.edge.uniforms_off_by = law.uniforms_off_by;
      session.edge.fault = [&](const auto&) {
        if (faults.uniform() >= law.fault_rate) {
          return Fault::kNone;
        }
        if (faults.uniform() < 0.3) {
          session.edge.restart();
        }
        return faults.uniform() < 0.5 ? Fault::kLoseAnswer : Fault::kLoseMessage;
      };
      ChunkPolicy chunks(session.clock, text);
      const auto stats = law.policy == kChunks ? session.write(chunks, kLength)
                                               : session.write(law.policy, kLength);
      EXPECT_TRUE(stats.has_value()) << stats.error().message;
      ++counts[toy::text_index(session.sink.tokens(), target.n_vocab())];
    }
    return toy::chi_square_p_value(counts, expected);
  }
};

constexpr std::array kModes{WireMode::kQRow, WireMode::kDssd};

TEST_F(RemoteLawTest, OnAGoodLink) {
  for (const WireMode mode : kModes) {
    EXPECT_GT(p_value({.mode = mode}), kFalseAlarm) << to_string(mode);
    EXPECT_GT(p_value({.mode = mode, .policy = "p-min:0.5,4"}), kFalseAlarm) << to_string(mode);
    EXPECT_GT(p_value({.mode = mode, .policy = "edge-only"}), kFalseAlarm) << to_string(mode);
  }
}

TEST_F(RemoteLawTest, WithEveryFifthMessageOrAnswerLost) {
  for (const WireMode mode : kModes) {
    EXPECT_GT(p_value({.mode = mode, .fault_rate = 0.2}), kFalseAlarm) << to_string(mode);
    EXPECT_GT(p_value({.mode = mode, .policy = "static:1", .fault_rate = 0.2}), kFalseAlarm)
        << to_string(mode);
  }
}

TEST_F(RemoteLawTest, InChunksOfEveryShape) {
  for (const WireMode mode : kModes) {
    EXPECT_GT(p_value({.mode = mode, .policy = std::string(kChunks)}), kFalseAlarm)
        << to_string(mode);
    EXPECT_GT(p_value({.mode = mode, .policy = std::string(kChunks), .fault_rate = 0.2}),
              kFalseAlarm)
        << to_string(mode);
  }
}

// The test must be able to fail: an edge that decides with the numbers after its own makes the
// device draw the correction with the number that rejected the token.
TEST_F(RemoteLawTest, AnEdgeWithTheWrongUniformsIsFound) {
  EXPECT_LT(p_value({.mode = WireMode::kDssd, .uniforms_off_by = 1}), kFalseAlarm);
}

}  // namespace
}  // namespace gelato::device
