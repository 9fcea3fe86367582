#include "gelato/control/paper_equations.h"

#include <cmath>

namespace gelato::control::paper {

double drafting_flops(const ModelShape& model, std::uint32_t gamma, double context) {
  const double projections = 6.0 * model.width * model.width;
  const double attention = 4.0 * (context + gamma / 2.0) * model.width;
  const double output = 2.0 * model.width * model.width;
  const double ffn = 4.0 * model.width * model.ffn_width;
  return model.layers * gamma * (projections + attention + output + ffn);
}

Seconds drafting_time(const ModelShape& model, const Device& device, std::uint32_t gamma,
                      double context) {
  return Seconds(drafting_flops(model, gamma, context) / device.flops);
}

Joules drafting_energy(const ModelShape& model, const Device& device, std::uint32_t gamma,
                       double context) {
  return device.power * drafting_time(model, device, gamma, context);
}

Bits payload(std::span<const std::uint32_t> set_sizes, Bits per_prob, Bits per_index) {
  double entries = 0.0;
  for (const std::uint32_t size : set_sizes) {
    entries += size;
  }
  return entries * (per_prob + per_index);
}

BitsPerSecond uplink_rate(Hertz bandwidth, Watts tx_power, double gain, double noise_density) {
  const double noise = noise_density * bandwidth.value();
  const double signal = tx_power.value() * gain;
  if (!(noise > 0.0 && signal > 0.0)) {
    return {};
  }
  return BitsPerSecond(bandwidth.value() * std::log2(1.0 + signal / noise));
}

Seconds uplink_time(Bits payload, BitsPerSecond rate) { return payload / rate; }

Joules uplink_energy(Watts tx_power, Seconds uplink_time) { return tx_power * uplink_time; }

Joules step_energy(Joules drafting, Joules uplink) { return drafting + uplink; }

Seconds step_time(Seconds drafting, Seconds uplink, Seconds target) {
  return drafting + uplink + target;
}

}  // namespace gelato::control::paper
