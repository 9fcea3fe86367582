#include "gelato/sim/setting.h"

#include <algorithm>

namespace gelato::sim {

Seconds EdgeCurve::time(std::uint64_t tokens) const {
  if (tokens <= pass.size()) {
    return pass[std::max<std::uint64_t>(tokens, 1) - 1];
  }
  const Seconds rise = pass.size() > 1 ? pass.back() - pass[pass.size() - 2] : Seconds();
  return pass.back() + static_cast<double>(tokens - pass.size()) * rise;
}

Seconds EdgeCurve::slope(std::uint32_t tokens) const {
  return tokens > 1 ? (time(tokens) - time(1)) / (tokens - 1.0) : Seconds();
}

Bits WireFormat::token_bits(const TraceToken& token, control::UplinkFormat format) const {
  if (format == control::UplinkFormat::kDssd) {
    return index + prob;
  }
  return draft == Draft::kIds ? index : static_cast<double>(token.top_p) * (prob + index);
}

Joules Budget::allowance(std::uint64_t rounds, std::uint64_t tokens, Seconds elapsed) const {
  if (per_round) {
    return static_cast<double>(rounds) * *per_round;
  }
  return per_token ? static_cast<double>(tokens) * *per_token : power.value_or(Watts()) * elapsed;
}

}  // namespace gelato::sim
