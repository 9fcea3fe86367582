#include "gelato/device/relay_lane.h"

#include <algorithm>
#include <limits>

namespace gelato::device {
namespace {

constexpr Seconds kNever(std::numeric_limits<double>::infinity());

}  // namespace

Seconds RelayLane::backlog(Seconds now) const {
  return link_ != nullptr ? link_->backlog(direction_, now) : Seconds(0);
}

std::size_t RelayLane::room(Seconds now) const {
  return backlog(now) > kMaxBacklog ? 0 : std::min(kChunk, kMaxHeld - std::min(held_, kMaxHeld));
}

void RelayLane::take(std::span<const std::uint8_t> bytes, Seconds now) {
  const Seconds due = link_ != nullptr ? link_->send(direction_, now, bytes.size()) : now;
  chunks_.push_back({due, {bytes.begin(), bytes.end()}});
  held_ += bytes.size();
}

std::span<const std::uint8_t> RelayLane::arrived(Seconds now) const {
  if (chunks_.empty() || chunks_.front().due > now) {
    return {};
  }
  return std::span(chunks_.front().bytes).subspan(front_);
}

void RelayLane::delivered(std::size_t count) {
  front_ += count;
  held_ -= count;
  if (front_ == chunks_.front().bytes.size()) {
    chunks_.pop_front();
    front_ = 0;
  }
}

Seconds RelayLane::next_arrival() const { return chunks_.empty() ? kNever : chunks_.front().due; }

Seconds RelayLane::next_room(Seconds now) const {
  const Seconds wait = backlog(now);
  return wait > kMaxBacklog ? now + (wait - kMaxBacklog) : kNever;
}

}  // namespace gelato::device
