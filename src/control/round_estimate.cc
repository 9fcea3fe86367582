#include "gelato/control/round_estimate.h"

#include <algorithm>
#include <cmath>

namespace gelato::control {

double usable(double x) { return x >= 0.0 && x <= kLargestQuantity ? x : 0.0; }

CostEstimate usable(const CostEstimate& cost) {
  return {.draft_token = usable(cost.draft_token),
          .draft_token_energy = usable(cost.draft_token_energy),
          .round_trip = usable(cost.round_trip),
          .uplink = usable(cost.uplink),
          .uplink_bits_per_token = usable(cost.uplink_bits_per_token),
          .uplink_bits_per_round = usable(cost.uplink_bits_per_round),
          .queue = usable(cost.queue),
          .verify_base = usable(cost.verify_base),
          .others = usable(cost.others),
          .verify_token = usable(cost.verify_token),
          .devices = std::max(usable(cost.devices), 1.0),
          .tx_power = usable(cost.tx_power),
          .wait_power = usable(cost.wait_power)};
}

double expected_tokens(double rho, std::uint32_t gamma) {
  if (rho >= 1.0) {
    return gamma + 1.0;
  }
  return (1.0 - std::pow(rho, gamma + 1.0)) / (1.0 - rho);
}

Seconds drafting_time(const CostEstimate& cost, std::uint32_t gamma) {
  return gamma * cost.draft_token;
}

Joules drafting_energy(const CostEstimate& cost, std::uint32_t gamma) {
  return gamma * cost.draft_token_energy;
}

Seconds uplink_time(const CostEstimate& cost, std::uint32_t gamma) {
  if (cost.uplink <= BitsPerSecond(0.0)) {
    return {};
  }
  // A rate below one bit in kLargestQuantity seconds would give an unusable time.
  const Bits payload = gamma * cost.uplink_bits_per_token + cost.uplink_bits_per_round;
  return std::min(payload / cost.uplink, Seconds(kLargestQuantity));
}

Seconds away_time(const CostEstimate& cost) { return cost.round_trip + cost.queue; }

Seconds verify_time(const CostEstimate& cost, std::uint32_t gamma) {
  return cost.verify_base + cost.others + gamma * cost.verify_token;
}

Seconds round_time(const CostEstimate& cost, std::uint32_t gamma) {
  return drafting_time(cost, gamma) + uplink_time(cost, gamma) + away_time(cost) +
         verify_time(cost, gamma);
}

double tokens_per_second(double tokens, Seconds time) {
  constexpr Seconds kShortest(1e-9);
  return tokens / std::max(time, kShortest).value();
}

}  // namespace gelato::control
