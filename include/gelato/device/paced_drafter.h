// A drafter slowed down to another device's speed: real tokens and real acceptance, with the times
// of a device profile. For experiments where small models stand in for large ones.
#pragma once

#include <cstdint>
#include <functional>

#include "gelato/base/clock.h"
#include "gelato/energy/device_profile.h"
#include "gelato/spec/decoding.h"

namespace gelato::device {

// To what drafting is paced, and how well that worked.
struct Pacing {
  energy::DeviceProfile profile;
  std::uint64_t tokens = 0;  // drafted in the generation that began last
  std::uint64_t late = 0;    // of them, those that took longer here than on that device
};

// Every drafted token takes the time of the profile at its context: DeviceProfile::draft_time().
// Reading the prompt is not paced, for profiles say nothing about it; it is part of the first
// token's time. One thread.
class PacedDrafter final : public spec::Drafter {
 public:
  // Lets this much time pass.
  using Wait = std::function<void(Seconds)>;

  // All must outlive this. Without `pacing` it only passes calls on.
  PacedDrafter(spec::Drafter& drafter, Pacing* pacing, const Clock& clock);
  PacedDrafter(spec::Drafter& drafter, Pacing* pacing, const Clock& clock, Wait wait);

  // Errors: those of the drafter.
  Result<void> start(std::span<const spec::Token> prompt) override;
  Result<std::optional<spec::RowStats>> draft_one(spec::Draft& draft, float min_top1) override;
  Result<void> commit(std::uint32_t accepted, spec::Token next) override;

 private:
  spec::Drafter* drafter_;
  Pacing* pacing_;
  const Clock* clock_;
  Wait wait_;
  std::uint32_t context_ = 0;  // committed tokens
  Seconds overslept_;          // a wait that took too long shortens the next
};

}  // namespace gelato::device
