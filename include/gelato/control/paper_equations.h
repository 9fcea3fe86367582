// The model of one step in GELATO, arXiv 2605.10124, section II, equations 1 to 6, and its
// published setting. Only draft and uplink cost energy here: waiting, receiving and the LM head are
// not in the paper, so figures made with these functions are labelled `paper-accounting`.
#pragma once

#include <cstdint>
#include <span>

#include "gelato/base/units.h"

namespace gelato::control::paper {

// A decoder-only transformer as equation 1 sees it.
struct ModelShape {
  double layers = 0;     // N
  double width = 0;      // d_m
  double ffn_width = 0;  // d_f
};

struct Device {
  double flops = 0;  // f^D, operations per second
  Watts power;       // p^D, while drafting
};

// Section IV: Qwen2.5-0.5B drafts for Qwen2.5-7B-Instruct on GSM8K.
inline constexpr ModelShape kDraftModel{.layers = 24, .width = 896, .ffn_width = 4864};
inline constexpr Device kDevice{.flops = 40e9, .power = Watts(12.0)};
inline constexpr Decibels kTxPowerDbm(23.0);            // p^U, dBm
inline constexpr Decibels kNoiseDensityDbmPerHz(-174);  // N0, dBm/Hz
inline constexpr Joules kBudgetPerStep(1.2);            // E-bar
inline constexpr std::uint32_t kMaxDraft = 15;          // gamma_0
inline constexpr double kRho0 = 0.9;                    // reference acceptance rate
inline constexpr double kEntropyDecay = 0.35;           // phi(H) = exp(-0.35 H), H in nats
inline constexpr double kStopRatio = 1.2;               // Theta_th / H_th
inline constexpr double kTopP = 0.99995;                // nucleus that goes up
inline constexpr Seconds kTargetTime(0.1);              // T^LLM where the bandwidth is varied
inline constexpr Hertz kBandwidth(5e6);                 // B where T^LLM is varied

// (1) Operations of drafting gamma tokens after a context of `context` tokens:
//     F = N gamma [6 d_m^2 + 4 (L + gamma/2) d_m + 2 d_m^2 + 4 d_m d_f].
double drafting_flops(const ModelShape& model, std::uint32_t gamma, double context);
// (1) T^D = F / f^D.
Seconds drafting_time(const ModelShape& model, const Device& device, std::uint32_t gamma,
                      double context);
// (1) E^D = p^D T^D.
Joules drafting_energy(const ModelShape& model, const Device& device, std::uint32_t gamma,
                       double context);

// (2) D = sum_i |S_i| (b_prob + b_index): `set_sizes` has |S_i|, the size of the top-p set of each
// drafted token's row.
Bits payload(std::span<const std::uint32_t> set_sizes, Bits per_prob, Bits per_index);
// (2) r = B log2(1 + p^U h / (N0 B)): `gain` is the channel's power gain h, `noise_density` N0 is
// in watts per hertz. 0 if any of them is not positive.
BitsPerSecond uplink_rate(Hertz bandwidth, Watts tx_power, double gain, double noise_density);
// (2) T^U = D / r, E^U = p^U T^U. Precondition: rate > 0.
Seconds uplink_time(Bits payload, BitsPerSecond rate);
Joules uplink_energy(Watts tx_power, Seconds uplink_time);

// (3) E = E^D + E^U.
Joules step_energy(Joules drafting, Joules uplink);
// (4) T = T^D + T^U + T^LLM.
Seconds step_time(Seconds drafting, Seconds uplink, Seconds target);
// (4), (5) Throughput N / T, whose mean the paper maximises subject to mean E <= E-bar per step.
// tokens_per_second() in round_estimate.h; (6) E[N]: expected_tokens() there.

}  // namespace gelato::control::paper
