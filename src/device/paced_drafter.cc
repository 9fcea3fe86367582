#include "gelato/device/paced_drafter.h"

#include <chrono>
#include <thread>
#include <utility>

namespace gelato::device {

PacedDrafter::PacedDrafter(spec::Drafter& drafter, Pacing* pacing, const Clock& clock)
    : PacedDrafter(drafter, pacing, clock, [](Seconds time) {
        std::this_thread::sleep_for(std::chrono::duration<double>(time.value()));
      }) {}

PacedDrafter::PacedDrafter(spec::Drafter& drafter, Pacing* pacing, const Clock& clock, Wait wait)
    : drafter_(&drafter), pacing_(pacing), clock_(&clock), wait_(std::move(wait)) {}

Result<void> PacedDrafter::start(std::span<const spec::Token> prompt) {
  context_ = static_cast<std::uint32_t>(prompt.size());
  overslept_ = {};
  if (pacing_ != nullptr) {
    pacing_->tokens = 0;
    pacing_->late = 0;
  }
  return drafter_->start(prompt);
}

Result<std::optional<spec::RowStats>> PacedDrafter::draft_one(spec::Draft& draft, float min_top1) {
  if (pacing_ == nullptr) {
    return drafter_->draft_one(draft, min_top1);
  }
  const auto context = context_ + static_cast<std::uint32_t>(draft.size());
  const Seconds due = clock_->now() - std::exchange(overslept_, Seconds()) +
                      pacing_->profile.draft_time(context, 1);
  auto stats = drafter_->draft_one(draft, min_top1);
  ++pacing_->tokens;
  if (const Seconds left = due - clock_->now(); left > Seconds(0)) {
    wait_(left);
    overslept_ = clock_->now() - due;
  } else {
    ++pacing_->late;
  }
  return stats;
}

Result<void> PacedDrafter::commit(std::uint32_t accepted, spec::Token next) {
  context_ += accepted + 1;
  return drafter_->commit(accepted, next);
}

}  // namespace gelato::device
