// A target slowed down to another machine's speed: real passes, real batches and real text, with
// the times of a larger model. For experiments where a small model stands in for a large one; the
// counterpart of device::PacedDrafter.
#pragma once

#include <functional>

#include "gelato/base/clock.h"
#include "gelato/edge/target.h"

namespace gelato::edge {

// T(n) of a pass over n tokens, whosever they are: T(1) + (n - 1) x token. The same for a chunk of
// a prompt.
struct PassPace {
  Seconds pass;   // T(1); 0: passes take the time they take here
  Seconds token;  // what each further token adds
};

// No pass ends before its time; one that takes longer here is not shortened. One thread.
class PacedTarget final : public Target {
 public:
  // Lets this much time pass.
  using Wait = std::function<void(Seconds)>;

  // `target` and `clock` must outlive this.
  PacedTarget(Target& target, PassPace pace, const Clock& clock);
  PacedTarget(Target& target, PassPace pace, const Clock& clock, Wait wait);

  // Errors, here and below: those of the target.
  Result<void> decode(std::span<const Append> appends) override;
  [[nodiscard]] TargetShape shape() const override { return target_->shape(); }
  [[nodiscard]] Result<std::span<const float>> logits(std::size_t append,
                                                      std::uint32_t row) override {
    return target_->logits(append, row);
  }
  Result<void> truncate(std::uint32_t sequence, std::uint32_t length) override {
    return target_->truncate(sequence, length);
  }
  Result<void> copy_prefix(std::uint32_t from, std::uint32_t to, std::uint32_t length) override {
    return target_->copy_prefix(from, to, length);
  }
  [[nodiscard]] std::uint32_t free_cells() const override { return target_->free_cells(); }

 private:
  Target* target_;
  PassPace pace_;
  const Clock* clock_;
  Wait wait_;
  Seconds overslept_;  // a wait that took too long shortens the next
};

}  // namespace gelato::edge
