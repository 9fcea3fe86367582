#include "gelato/energy/energy_ledger.h"

#include <cmath>

namespace gelato::energy {
namespace {

bool is_amount(Joules e) { return std::isfinite(e.value()) && e >= Joules(0); }

bool is_amount(const PhaseJoules& e) {
  return is_amount(e.draft) && is_amount(e.tx) && is_amount(e.rx) && is_amount(e.wait) &&
         is_amount(e.total());
}

}  // namespace

std::string_view to_string(EnergyBasis basis) {
  switch (basis) {
    case EnergyBasis::kNone:
      return "none";
    case EnergyBasis::kModelled:
      return "model";
    case EnergyBasis::kMeasured:
      return "measured-total-modelled-split";
    case EnergyBasis::kMixed:
      return "mixed";
  }
  return "none";
}

PhaseJoules split_measured(Joules total, const PhaseJoules& modelled) {
  const Joules sum = modelled.total();
  if (sum <= Joules(0)) {
    return {Joules(0), Joules(0), Joules(0), total};
  }
  return {total * (modelled.draft / sum), total * (modelled.tx / sum), total * (modelled.rx / sum),
          total * (modelled.wait / sum)};
}

Result<> EnergyLedger::add(const PhaseJoules& energy, Joules measured, EnergyBasis basis) {
  PhaseJoules sum = split_;
  sum += energy;
  if (!is_amount(energy) || !is_amount(sum)) {
    return fail(ErrorCode::kInvalidArgument,
                "the energy of a round must be finite and not negative");
  }
  split_ = sum;
  measured_ += measured;
  basis_ = basis_ == EnergyBasis::kNone || basis_ == basis ? basis : EnergyBasis::kMixed;
  return {};
}

Result<> EnergyLedger::add_modelled(const PhaseJoules& energy) {
  return add(energy, Joules(0), EnergyBasis::kModelled);
}

Result<> EnergyLedger::add_measured(Joules total, const PhaseJoules& modelled) {
  if (!is_amount(total) || !is_amount(modelled)) {
    return fail(ErrorCode::kInvalidArgument,
                "the energy of a round must be finite and not negative");
  }
  return add(split_measured(total, modelled), total, EnergyBasis::kMeasured);
}

}  // namespace gelato::energy
