#include "gelato/engine/cell_ledger.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "gelato/base/rng.h"

namespace gelato::engine {
namespace {

TEST(CellLedger, CountsSharedCellsOnce) {
  CellLedger ledger(10, 3);
  ledger.append(0, 6);
  ledger.share(0, 1, 4);
  EXPECT_EQ(ledger.free_cells(), 4U);
  EXPECT_EQ(ledger.length(1), 4U);
  ledger.append(1, 2);
  EXPECT_EQ(ledger.free_cells(), 2U);
  ledger.truncate(0, 0);  // its last two were its own; the first four live on in sequence 1
  EXPECT_EQ(ledger.free_cells(), 4U);
  ledger.share(1, 2, 6);
  ledger.truncate(1, 0);
  EXPECT_EQ(ledger.free_cells(), 4U);
  ledger.truncate(2, 3);
  EXPECT_EQ(ledger.free_cells(), 7U);
  ledger.truncate(2, 5);  // no effect
  EXPECT_EQ(ledger.length(2), 3U);
  ledger.clear();
  EXPECT_EQ(ledger.free_cells(), 10U);
}

TEST(CellLedger, AnEmptyShareIsNothing) {
  CellLedger ledger(4, 2);
  ledger.append(0, 2);
  ledger.share(0, 1, 0);
  EXPECT_EQ(ledger.length(1), 0U);
  ledger.append(1, 2);
  EXPECT_EQ(ledger.free_cells(), 0U);
}

// Against texts written out in full: the cells in use are the distinct cells of all sequences.
TEST(CellLedger, AgreesWithSequencesKeptInFull) {
  constexpr std::uint32_t kCells = 40;
  CellLedger ledger(kCells, 5);
  std::vector<std::vector<int>> full(5);
  Rng rng(1, "cell ledger");
  int next = 0;
  for (int step = 0; step < 20'000; ++step) {
    const auto a = static_cast<std::uint32_t>(rng.below(5));
    const auto b = static_cast<std::uint32_t>(rng.below(5));
    switch (rng.below(3)) {
      case 0: {
        const auto n = static_cast<std::uint32_t>(rng.below(ledger.free_cells() + 1));
        ledger.append(a, n);
        for (std::uint32_t i = 0; i < n; ++i) {
          full[a].push_back(next++);
        }
        break;
      }
      case 1: {
        const auto length = static_cast<std::uint32_t>(rng.below(full[a].size() + 1));
        ledger.truncate(a, length);
        full[a].resize(length);
        break;
      }
      default:
        if (a != b) {
          const auto length = static_cast<std::uint32_t>(rng.below(full[a].size() + 1));
          ledger.truncate(b, 0);
          ledger.share(a, b, length);
          full[b].assign(full[a].begin(), full[a].begin() + length);
        }
    }
    std::set<int> used;
    for (std::uint32_t s = 0; s < 5; ++s) {
      used.insert(full[s].begin(), full[s].end());
      ASSERT_EQ(ledger.length(s), full[s].size());
    }
    ASSERT_EQ(ledger.free_cells(), kCells - used.size());
  }
}

}  // namespace
}  // namespace gelato::engine
