// A device of a measured comparison: the real client behind an emulated link, its drafting paced to
// a profile, its joules by that profile.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "gelato/base/clock.h"
#include "gelato/base/log.h"
#include "gelato/base/result.h"
#include "gelato/device/remote_session.h"
#include "gelato/engine/backend.h"
#include "gelato/observed_policy.h"

namespace gelato::cli {

struct LiveText {
  RoundTotals rounds;
  std::vector<spec::Token> tokens;
  std::uint64_t unverified = 0;  // of them, written by the draft model alone
  std::uint64_t late = 0;        // draft tokens that took longer here than on the profile's device
};

class LiveDevice {
 public:
  // All must outlive the device. Errors: those of RemoteSession::open().
  static Result<std::unique_ptr<LiveDevice>> create(const engine::Backend& backend,
                                                    const Clock& clock, Log& log,
                                                    device::RemoteSessionOptions options,
                                                    const energy::DeviceProfile& profile);

  // Writes after `prompt`, greedily. Errors: those of RemoteSession::generate(); kCancelled.
  Result<LiveText> write(std::span<const spec::Token> prompt, control::Policy& policy,
                         std::uint32_t tokens);

  [[nodiscard]] const device::RemoteSession& session() const { return *session_; }

 private:
  LiveDevice(std::unique_ptr<device::RemoteSession> session, const energy::DeviceProfile& profile);

  std::unique_ptr<device::RemoteSession> session_;
  device::EnergyAccount energy_;
  device::Pacing pacing_;
};

}  // namespace gelato::cli
