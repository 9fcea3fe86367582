#include "gelato/edge/paced_target.h"

#include <chrono>
#include <thread>
#include <utility>

namespace gelato::edge {

PacedTarget::PacedTarget(Target& target, PassPace pace, const Clock& clock)
    : PacedTarget(target, pace, clock, [](Seconds time) {
        std::this_thread::sleep_for(std::chrono::duration<double>(time.value()));
      }) {}

PacedTarget::PacedTarget(Target& target, PassPace pace, const Clock& clock, Wait wait)
    : target_(&target), pace_(pace), clock_(&clock), wait_(std::move(wait)) {}

Result<void> PacedTarget::decode(std::span<const Append> appends) {
  std::size_t tokens = 0;
  for (const Append& append : appends) {
    tokens += append.tokens.size();
  }
  if (pace_.pass <= Seconds(0) || tokens == 0) {
    return target_->decode(appends);
  }
  const Seconds due = clock_->now() - std::exchange(overslept_, Seconds()) + pace_.pass +
                      static_cast<double>(tokens - 1) * pace_.token;
  auto decoded = target_->decode(appends);
  if (const Seconds left = due - clock_->now(); decoded && left > Seconds(0)) {
    wait_(left);
    overslept_ = clock_->now() - due;
  }
  return decoded;
}

}  // namespace gelato::edge
