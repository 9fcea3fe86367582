// What a generation costs this device in joules, round by round: a meter, a device profile, or a
// meter whose total is divided by a profile.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "gelato/base/units.h"
#include "gelato/control/policy.h"
#include "gelato/energy/device_profile.h"
#include "gelato/energy/energy_ledger.h"
#include "gelato/energy/energy_meter.h"

namespace gelato::device {

// One generation after the other; one thread. Does not allocate between begin() and finish(),
// except for what the meter does in read().
class EnergyAccount {
 public:
  // What has gone over the link since a fixed moment, and its rates now (0: not known).
  struct LinkUse {
    Bits sent;
    Bits received;
    BitsPerSecond uplink;
    BitsPerSecond downlink;
  };

  // Every joule is modelled: the profile's powers x the time in each phase.
  static EnergyAccount modelled(energy::DeviceProfile profile);
  // Every joule is measured. The meter gives one number per round or less; `profile` says how it
  // divides among drafting, sending, receiving and waiting. Without one it is divided by time.
  // `meter` is not null.
  static EnergyAccount measured(std::unique_ptr<energy::EnergyMeter> meter,
                                std::optional<energy::DeviceProfile> profile);

  // From where to learn of the link; without it (one process) nothing is sent. The function is
  // called by begin() and lap().
  void watch(std::function<LinkUse()> link) { link_ = std::move(link); }

  // A generation begins: what was spent before is not part of it. Times are of the clock that
  // opened the meter, here and below.
  void begin(Seconds now);
  // What happened since begin() or the last lap() is over; `drafting` of that time went into the
  // draft model. Returns its energy. A meter that is slower than the rounds is read when it can
  // have a new value; until then the energy is the model's, scaled to what the meter has shown so
  // far, and 0 before it has shown anything.
  Joules lap(Seconds drafting, Seconds now);
  // The generation is over: takes the meter's last reading into the ledger.
  void finish(Seconds now);

  // Fills in the energy fields: the profile's powers, scaled to what the meter has shown; without a
  // profile the mean power so far. draft_token must be there already.
  void estimate(control::CostEstimate& cost) const;

  // Of the generation that began last.
  [[nodiscard]] const energy::EnergyLedger& ledger() const { return ledger_; }
  // Time of it for which no energy is known: the total is then a lower bound.
  [[nodiscard]] Seconds unmeasured() const { return unmeasured_; }
  // `rapl`, ..., or `model:<profile>`.
  [[nodiscard]] std::string source() const;
  // What divides the total among the phases: `model:<profile>`, or `time`.
  [[nodiscard]] std::string split_source() const;

 private:
  EnergyAccount(std::unique_ptr<energy::EnergyMeter> meter,
                std::optional<energy::DeviceProfile> profile);
  [[nodiscard]] energy::PhaseJoules model(Seconds drafting, Seconds now);
  [[nodiscard]] double scale() const;
  std::optional<Joules> settle(Seconds now);

  std::unique_ptr<energy::EnergyMeter> meter_;
  std::string profile_name_;     // empty: divided by time
  energy::DeviceProfile shape_;  // the profile, or one watt in every phase
  std::function<LinkUse()> link_;

  energy::EnergyLedger ledger_;
  energy::PhaseJoules pending_;  // modelled, and not yet measured
  std::optional<Joules> last_reading_;
  Joules measured_;  // by the meter, over all generations; and the same through the model:
  Joules modelled_;
  Seconds unmeasured_;
  Seconds unmeasured_before_;  // the meter's own count at begin()
  Seconds pending_since_;      // the meter's last reading, or begin()
  Seconds lap_began_;
  LinkUse link_before_{};
};

}  // namespace gelato::device
