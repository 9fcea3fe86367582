#include "gelato/measurement.h"

#include <limits>

namespace gelato::cli {
namespace {

double ratio(double numerator, double denominator) {
  return denominator > 0.0 ? numerator / denominator : std::numeric_limits<double>::quiet_NaN();
}

double ratio(std::uint64_t numerator, std::uint64_t denominator) {
  return ratio(static_cast<double>(numerator), static_cast<double>(denominator));
}

}  // namespace

Measurement& Measurement::operator+=(const Measurement& other) {
  tokens += other.tokens;
  unverified += other.unverified;
  rounds += other.rounds;
  drafted += other.drafted;
  accepted += other.accepted;
  total += other.total;
  prefill += other.prefill;
  drafting += other.drafting;
  verifying += other.verifying;
  if (decode && other.decode) {
    *decode += *other.decode;
  } else {
    decode.reset();
  }
  return *this;
}

double Measurement::tokens_per_s() const {
  return ratio(static_cast<double>(tokens), total.value());
}
double Measurement::decode_tokens_per_s() const {
  return ratio(static_cast<double>(tokens), (total - prefill).value());
}
double Measurement::acceptance_rate() const { return ratio(accepted, drafted); }
double Measurement::mean_committed() const { return ratio(tokens - unverified, rounds); }
double Measurement::passes_per_token() const { return ratio(rounds, tokens); }
double Measurement::outside_decode() const {
  return decode ? 1.0 - ratio(decode->value(), total.value())
                : std::numeric_limits<double>::quiet_NaN();
}

Measurement measurement_of(const device::GenerationStats& stats, Seconds decode) {
  return {.tokens = stats.tokens,
          .unverified = stats.unverified,
          .rounds = stats.acceptance.rounds(),
          .drafted = stats.acceptance.drafted(),
          .accepted = stats.acceptance.accepted(),
          .total = stats.total,
          .prefill = stats.prefill,
          .drafting = stats.drafting,
          .verifying = stats.verifying,
          .decode = decode};
}

}  // namespace gelato::cli
