#include "gelato/device/energy_account.h"

#include <algorithm>
#include <utility>

#include "gelato/energy/model_meter.h"

namespace gelato::device {
namespace {

// Divides by time: one watt, whatever the device does.
energy::DeviceProfile one_watt() {
  energy::DeviceProfile shape;
  shape.draft_power = Watts(1.0);
  shape.idle = Watts(1.0);
  return shape;
}

}  // namespace

EnergyAccount EnergyAccount::modelled(energy::DeviceProfile profile) {
  return {nullptr, std::move(profile)};
}

EnergyAccount EnergyAccount::measured(std::unique_ptr<energy::EnergyMeter> meter,
                                      std::optional<energy::DeviceProfile> profile) {
  return {std::move(meter), std::move(profile)};
}

EnergyAccount::EnergyAccount(std::unique_ptr<energy::EnergyMeter> meter,
                             std::optional<energy::DeviceProfile> profile)
    : meter_(std::move(meter)),
      profile_name_(profile ? profile->name : ""),
      shape_(profile ? std::move(*profile) : one_watt()) {}

std::string EnergyAccount::source() const {
  return meter_ ? std::string(meter_->source()) : split_source();
}

std::string EnergyAccount::split_source() const {
  return profile_name_.empty() ? "time" : "model:" + profile_name_;
}

void EnergyAccount::begin(Seconds now) {
  ledger_ = {};
  pending_ = {};
  unmeasured_ = {};
  pending_since_ = now;
  lap_began_ = now;
  link_before_ = link_ ? link_() : LinkUse{};
  if (meter_) {
    auto reading = meter_->read(now);
    if (!reading) {
      reading = meter_->read(now);  // too long a pause is told once
    }
    last_reading_ = reading ? std::optional(*reading) : std::nullopt;
    unmeasured_before_ = meter_->unmeasured();
  }
}

// The time since the last lap, through the profile.
energy::PhaseJoules EnergyAccount::model(Seconds drafting, Seconds now) {
  const LinkUse link = link_ ? link_() : LinkUse{};
  const auto times = energy::phase_times({.elapsed = now - lap_began_,
                                          .drafting = drafting,
                                          .sent = link.sent - link_before_.sent,
                                          .received = link.received - link_before_.received,
                                          .uplink = link.uplink,
                                          .downlink = link.downlink});
  link_before_ = link;
  lap_began_ = now;
  return times ? energy::modelled_energy(shape_, *times) : energy::PhaseJoules{};
}

// What the meter shows for each joule of the model.
double EnergyAccount::scale() const {
  return meter_ == nullptr ? 1.0 : modelled_ > Joules(0) ? measured_ / modelled_ : 0.0;
}

Joules EnergyAccount::lap(Seconds drafting, Seconds now) {
  const bool alone = pending_ == energy::PhaseJoules{};
  const energy::PhaseJoules modelled = model(drafting, now);
  if (meter_ == nullptr) {
    return ledger_.add_modelled(modelled) ? modelled.total() : Joules();
  }
  pending_ += modelled;
  std::optional<Joules> measured;
  if (now - pending_since_ >= meter_->info().sampling_interval) {
    measured = settle(now);
  }
  return measured && alone ? *measured : modelled.total() * scale();
}

void EnergyAccount::finish(Seconds now) {
  if (meter_ && !settle(now)) {
    unmeasured_ += now - pending_since_;
  }
}

// Reads the meter and enters what is pending. Nothing if the meter has no number for it; after a
// gap what was pending is entered as modelled, if there is a profile that says what it was.
std::optional<Joules> EnergyAccount::settle(Seconds now) {
  const auto reading = meter_->read(now);
  const Seconds lost = meter_->unmeasured() - unmeasured_before_;
  if (!reading && lost <= Seconds(0)) {
    return std::nullopt;  // the next reading covers this time too
  }
  const Seconds since = std::exchange(pending_since_, now);
  const energy::PhaseJoules pending = std::exchange(pending_, {});
  if (!reading || !last_reading_) {
    unmeasured_before_ = meter_->unmeasured();
    unmeasured_ += now - since;
    last_reading_ = reading ? std::optional(*reading) : last_reading_;
    if (!profile_name_.empty()) {
      (void)ledger_.add_modelled(pending);
    }
    return std::nullopt;
  }
  const Joules spent = *reading - *std::exchange(last_reading_, *reading);
  if (!ledger_.add_measured(spent, pending)) {
    return std::nullopt;
  }
  measured_ += pending.total() > Joules(0) ? spent : Joules();
  modelled_ += pending.total();
  return spent;
}

void EnergyAccount::estimate(control::CostEstimate& cost) const {
  const double k = scale();
  cost.draft_token_energy = k * (shape_.draft_power * cost.draft_token);
  cost.tx_power = k * shape_.tx_power();
  cost.wait_power = k * shape_.wait_power();
}

}  // namespace gelato::device
