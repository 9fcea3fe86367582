// Rounds with reused objects must not touch the heap.
#include <gtest/gtest.h>

#include <memory>

#include "gelato/spec/acceptance_stats.h"
#include "gelato/spec/dist_codec.h"
#include "gelato/spec/verify.h"
#include "tests/spec/rows.h"
#include "tests/support/allocation_count.h"

namespace gelato::spec {
namespace {

using toy::count_allocations;

TEST(Allocation, CounterCounts) {
  std::unique_ptr<int> owner;
  EXPECT_EQ(count_allocations([&] { owner = std::make_unique<int>(1); }), 1U);
}

TEST(Allocation, ASteadyRoundAllocatesNothing) {
  constexpr std::size_t kGamma = 8;
  Rng rng(1, "test");
  const DistCodec codec = DistCodec::create({.n_vocab = 4096}).value();
  const std::vector<SparseDist> drafts(kGamma, random_row(200, 5.0, 0.2, rng));
  const std::vector<SparseDist> targets(kGamma + 1, random_row(200, 5.0, 0.2, rng));
  std::vector<Token> argmax(kGamma + 1, targets[0].argmax());
  Draft sent;
  Draft received;
  SparseDist row;
  std::vector<std::uint8_t> wire;
  AcceptanceStats stats;
  const auto round = [&] {
    sent.clear();
    received.clear();
    wire.clear();
    for (const SparseDist& drafted : drafts) {
      row = drafted;
      codec.quantise(row);
      sent.push(row.sample(rng.uniform())) = row;
      codec.encode(row, wire);
    }
    std::span<const std::uint8_t> in(wire);
    for (const Token token : sent.tokens()) {
      EXPECT_TRUE(codec.decode(in, received.push(token)));
    }
    stats.add(kGamma, verify_sampling(received.tokens(), received.rows(), targets, rng));
    stats.add(kGamma, verify_greedy(received.tokens(), argmax));
  };
  round();
  EXPECT_EQ(count_allocations([&] {
              for (int i = 0; i < 20; ++i) {
                round();
              }
            }),
            0U);
}

}  // namespace
}  // namespace gelato::spec
