#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "src/edge/batch_runner.h"

namespace gelato::edge {
namespace {

using ::testing::ElementsAre;

class Fairness : public ::testing::Test {
 protected:
  SessionRecord* add(const std::string& client, std::uint64_t ticket) {
    auto& record = table_.add(std::make_unique<SessionRecord>(
        SessionRecord{.client = client, .out = nullptr, .session = Session({}, 4, 8, {0})}));
    record.ticket = ticket;
    return &record;
  }
  SessionTable table_;
};

TEST_F(Fairness, WhoHasWaitedLongestIsFirst) {
  std::vector<SessionRecord*> waiting = {add("a", 3), add("b", 1), add("c", 2)};
  const auto sorted = std::vector{waiting[1], waiting[2], waiting[0]};
  order_fairly(waiting);
  EXPECT_EQ(waiting, sorted);
}

TEST_F(Fairness, AClientWithManySessionsDoesNotPushOthersOut) {
  auto* a1 = add("a", 1);
  auto* a2 = add("a", 2);
  auto* a3 = add("a", 3);
  auto* b1 = add("b", 4);
  auto* c1 = add("c", 5);
  auto* c2 = add("c", 6);
  std::vector<SessionRecord*> waiting = {c2, a3, b1, a1, c1, a2};
  order_fairly(waiting);
  EXPECT_THAT(waiting, ElementsAre(a1, b1, c1, a2, c2, a3));
}

}  // namespace
}  // namespace gelato::edge
