// A transport that remembers when each draft was answered, and what the edge said about it. A token
// that the edge writes in a burst is an answer to an empty draft.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "gelato/base/clock.h"
#include "gelato/device/edge_transport.h"

namespace gelato::cli {

struct AnsweredDraft {
  Seconds at;                  // when the verdict was read
  Seconds waited;              // since the draft was sent
  Seconds queued;              // of it, by the edge's account: waiting for a pass
  Seconds pass;                // and the pass itself
  std::uint32_t sessions = 0;  // in that pass
  std::uint32_t drafted = 0;
  std::uint32_t accepted = 0;
  device::Traffic traffic;  // of the device until then
};

// Everything goes to `inner`, which must outlive this, as must `clock`.
class MeasuredTransport final : public device::EdgeTransport {
 public:
  MeasuredTransport(device::EdgeTransport& inner, const Clock& clock)
      : inner_(&inner), clock_(&clock) {}

  void open(const proto::Open& open) override { inner_->open(open); }
  void send(const proto::DeviceMessage& message) override;
  proto::WireResult<std::optional<proto::EdgeMessage>> receive(Seconds wait) override;
  void drop() override { inner_->drop(); }
  void pause(Seconds time) override { inner_->pause(time); }
  [[nodiscard]] device::Traffic traffic() const override { return inner_->traffic(); }

  [[nodiscard]] const std::vector<AnsweredDraft>& answers() const { return answers_; }

 private:
  // `passes` equal answers share the times.
  void add(const proto::Timing& timing, std::size_t passes, std::uint32_t drafted,
           std::uint32_t accepted);

  device::EdgeTransport* inner_;
  const Clock* clock_;
  Seconds sent_;
  std::uint32_t drafted_ = 0;
  std::vector<AnsweredDraft> answers_;
};

}  // namespace gelato::cli
