#include "gelato/edge/kv_budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "tests/edge/toy_target.h"

namespace gelato::edge {
namespace {

using ::testing::ElementsAreArray;

class Cache : public ::testing::Test {
 protected:
  // first, first + 1, ... modulo the vocabulary: different texts from the first token on.
  static std::vector<spec::Token> text(std::size_t n, spec::Token first) {
    std::vector<spec::Token> out(n);
    for (std::size_t i = 0; i < n; ++i) {
      out[i] = static_cast<spec::Token>((static_cast<std::size_t>(first) + i) % 8);
    }
    return out;
  }
  // Acquires a slot and reads the rest of the text, as the model thread does.
  std::uint32_t hold(KvBudget::Owner owner, const std::vector<spec::Token>& tokens,
                     const std::string& client = "anna") {
    const auto slot = cache_.acquire(owner, client, tokens);
    EXPECT_TRUE(slot.has_value());
    if (!slot || *slot == KvBudget::kNoSlot) {
      return KvBudget::kNoSlot;
    }
    found_ = cache_.length(*slot);
    const auto rest = std::span(tokens).subspan(found_, tokens.size() - 1 - found_);
    if (!rest.empty()) {
      const Target::Append append{*slot, rest, 0};
      EXPECT_TRUE(target_.decode({&append, 1}).has_value());
      cache_.extended(*slot, rest);
    }
    EXPECT_THAT(target_.text(*slot), ElementsAreArray(std::span(tokens).first(tokens.size() - 1)));
    return *slot;
  }
  bool room(std::uint32_t cells, const std::vector<KvBudget::Owner>& evictable) {
    const auto ok = cache_.make_room(cells, [&](KvBudget::Owner owner) {
      return std::find(evictable.begin(), evictable.end(), owner) != evictable.end();
    });
    EXPECT_TRUE(ok.has_value());
    return ok.value_or(false);
  }

  toy::ToyModel model_ = toy::ToyModel::random({.n_vocab = 8, .order = 1}, 1);
  ToyTarget target_{model_, 100U, 4U};
  KvBudget cache_{target_, 60U};
  std::uint32_t found_ = 0;  // tokens that the last hold() did not have to read
};

TEST_F(Cache, ASlotIsKeptAndCutToTheText) {
  const std::uint32_t slot = hold(1, text(20, 0));
  EXPECT_EQ(found_, 0U);
  EXPECT_EQ(hold(1, text(20, 0)), slot);
  EXPECT_EQ(found_, 19U);
  auto other = text(20, 0);
  other[9] = 7;
  EXPECT_EQ(hold(1, other), slot);
  EXPECT_EQ(found_, 9U);
  EXPECT_EQ(hold(1, {0}), slot);  // only the last token, which is never in the cache
  EXPECT_EQ(cache_.length(slot), 0U);
}

TEST_F(Cache, ALiveTextIsCopiedAndADeadOneTakenOver) {
  const std::uint32_t first = hold(1, text(20, 0));
  const std::uint32_t second = hold(2, text(20, 0));
  EXPECT_NE(second, first);
  EXPECT_EQ(found_, 19U);
  EXPECT_EQ(target_.free_cells(), 81U);
  cache_.release(1);
  cache_.release(2);
  const std::uint32_t third = hold(3, text(20, 0));
  EXPECT_TRUE(third == first || third == second);
  EXPECT_EQ(found_, 19U);
}

// A long dead text whose beginning alone is wanted is not thrown away for it.
TEST_F(Cache, ADeadTextThatWouldLoseMuchIsCopied) {
  const std::uint32_t first = hold(1, text(60, 0));
  cache_.release(1);
  auto shorter = text(20, 0);
  shorter[10] = 7;
  EXPECT_NE(hold(2, shorter), first);
  EXPECT_EQ(found_, 10U);
  EXPECT_EQ(hold(3, text(60, 0)), first);
  EXPECT_EQ(found_, 59U);
}

TEST_F(Cache, ShortBeginningsAndOtherClientsShareNothing) {
  hold(1, text(20, 0));
  auto seven = text(20, 0);
  seven[7] = 0;
  hold(2, seven);
  EXPECT_EQ(found_, 0U);
  hold(3, text(20, 0), "ben");
  EXPECT_EQ(found_, 0U);
}

TEST_F(Cache, SlotsOfLiveSessionsAreNeverTaken) {
  for (KvBudget::Owner owner = 1; owner <= 4; ++owner) {
    EXPECT_NE(hold(owner, text(10, static_cast<spec::Token>(owner))), KvBudget::kNoSlot);
  }
  EXPECT_EQ(hold(5, text(10, 0)), KvBudget::kNoSlot);
  cache_.release(2);
  EXPECT_NE(hold(5, text(10, 0)), KvBudget::kNoSlot);
}

TEST_F(Cache, RoomIsMadeOfDeadTextsFirstThenOfTheLongestUnused) {
  const std::uint32_t a = hold(1, text(31, 0));
  const std::uint32_t b = hold(2, text(31, 1));
  const std::uint32_t c = hold(3, text(31, 2));
  hold(1, text(31, 0));  // used again
  cache_.release(3);
  EXPECT_TRUE(room(40, {1, 2}));
  EXPECT_EQ(cache_.length(c), 0U);
  EXPECT_TRUE(room(70, {1, 2}));
  EXPECT_EQ(cache_.length(b), 0U);
  EXPECT_EQ(cache_.length(a), 30U);
  EXPECT_FALSE(room(80, {2}));
  EXPECT_EQ(cache_.length(a), 30U);
  EXPECT_TRUE(room(100, {1}));
  EXPECT_EQ(cache_.evictions(), 3U);
  EXPECT_EQ(hold(2, text(31, 1)), b);  // an evicted session keeps its slot
  EXPECT_EQ(found_, 0U);
}

// Every token that stays costs time in every pass.
TEST_F(Cache, TextsWithoutASessionKeepSoMuchTogether) {
  const std::uint32_t a = hold(1, text(31, 0));
  const std::uint32_t b = hold(2, text(31, 1));
  const std::uint32_t c = hold(3, text(31, 2));
  cache_.release(2);
  cache_.release(1);
  EXPECT_EQ(cache_.length(a) + cache_.length(b), 60U);
  cache_.release(3);  // and a is the least recently used
  EXPECT_EQ(target_.free_cells(), 40U);
  EXPECT_EQ(cache_.length(a), 0U);
  EXPECT_EQ(cache_.length(b), 30U);
  EXPECT_EQ(cache_.length(c), 30U);
  hold(4, text(25, 1));
  EXPECT_EQ(found_, 24U);
}

TEST_F(Cache, OfALongTextItsBeginningIsKept) {
  const std::uint32_t slot = hold(1, text(81, 0));
  EXPECT_EQ(cache_.length(slot), 80U) << "a session may hold more";
  cache_.release(1);
  EXPECT_EQ(cache_.length(slot), 60U);
  EXPECT_EQ(target_.text(slot).size(), 60U);
}

TEST_F(Cache, WhatAFailedPassMayHaveLeftIsForgotten) {
  const std::uint32_t slot = hold(1, text(20, 0));
  cache_.forget(slot);
  EXPECT_EQ(cache_.length(slot), 0U);
  EXPECT_EQ(target_.free_cells(), 100U);
}

}  // namespace
}  // namespace gelato::edge
