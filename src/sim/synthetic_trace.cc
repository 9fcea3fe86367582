#include "gelato/sim/synthetic_trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <functional>
#include <span>
#include <vector>

#include "gelato/base/rng.h"
#include "gelato/control/policy.h"

namespace gelato::sim {
namespace {

constexpr std::string_view kIid = "iid:";
constexpr std::string_view kEntropy = "entropy:";
constexpr double kMostEntropy = 8.0;  // nats
constexpr double kIidEntropy = 0.3;   // any: it says nothing about acceptance
constexpr double kMostDecay = 100.0;
constexpr double kTopP = 0.99995;               // GELATO's
constexpr std::uint32_t kVocabulary = 151'936;  // of the Qwen2.5 models that GELATO uses

// Rows with Zipf's law, p_k = k^-s / Z over the vocabulary, by their entropy
// H(s) = ln Z + s E[ln k], which falls as s rises: a clear first choice and a long tail, as
// language models have. Sums beyond the first tokens are integrals.
class ZipfRows {
 public:
  ZipfRows() {
    for (std::size_t i = 0; i < kSteps; ++i) {
      const double s = exponent(i);
      double sum = tail(s, kHead + 0.5);
      double logs = tail_logs(s, kHead + 0.5);
      for (int k = 1; k <= kHead; ++k) {
        sum += std::pow(k, -s);
        logs += std::pow(k, -s) * std::log(k);
      }
      sum_[i] = sum;
      entropy_[i] = std::log(sum) + s * logs / sum;
    }
  }

  [[nodiscard]] TraceToken row(double entropy) const {
    const auto next = std::lower_bound(entropy_.begin(), entropy_.end(), entropy, std::greater<>());
    const auto i = std::min(static_cast<std::size_t>(next - entropy_.begin()), kSteps - 1);
    const double s = exponent(i);
    return {.entropy = static_cast<float>(entropy),
            .top1 = static_cast<float>(1.0 / sum_[i]),
            .margin = static_cast<float>((1.0 - std::pow(2.0, -s)) / sum_[i]),
            .top_p = static_cast<std::uint16_t>(std::clamp(nucleus(s, sum_[i]), 1.0, 65535.0)),
            .match = 0};
  }

 private:
  static constexpr std::size_t kSteps = 2048;
  static constexpr int kHead = 32;
  static constexpr double kEnd = kVocabulary + 0.5;

  // 1.05 to 31: entropies from 8 nats to none, densest where they are large.
  static double exponent(std::size_t i) {
    return 1.0 + 0.05 * std::pow(600.0, static_cast<double>(i) / (kSteps - 1));
  }
  // Integrals of x^-s and of x^-s ln x from `begin` to the end of the vocabulary.
  static double tail(double s, double begin) {
    return (std::pow(begin, 1.0 - s) - std::pow(kEnd, 1.0 - s)) / (s - 1.0);
  }
  static double tail_logs(double s, double begin) {
    const auto primitive = [s](double x) {
      return std::pow(x, 1.0 - s) * (std::log(x) + 1.0 / (s - 1.0)) / (s - 1.0);
    };
    return primitive(begin) - primitive(kEnd);
  }
  // How many tokens leave no more than 1 - kTopP to the others.
  static double nucleus(double s, double sum) {
    const double rest = (1.0 - kTopP) * sum * (s - 1.0) + std::pow(kEnd, 1.0 - s);
    return std::ceil(std::pow(rest, 1.0 / (1.0 - s)) - 0.5);
  }

  std::array<double, kSteps> sum_{};      // Z
  std::array<double, kSteps> entropy_{};  // falling
};

// How drafted tokens look and whether they match.
struct Law {
  double acceptance = 0.0;  // iid
  double decay = 0.0;       // 0: iid
  double mean_entropy = 0.0;

  TraceToken draw(const ZipfRows& rows, Rng& rng) const {
    const double u = rng.uniform();
    if (decay == 0.0) {
      TraceToken token = rows.row(kIidEntropy);
      token.match = static_cast<std::uint8_t>(u < acceptance);
      return token;
    }
    const double entropy = std::min(-mean_entropy * std::log1p(-rng.uniform()), kMostEntropy);
    TraceToken token = rows.row(entropy);
    token.match = static_cast<std::uint8_t>(u < std::exp(-decay * entropy));
    return token;
  }
};

// `out.size()` numbers, separated by commas.
bool read_numbers(std::string_view text, std::span<double> out) {
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (i > 0 && (at == end || *at++ != ',')) {
      return false;
    }
    const auto [next, error] = std::from_chars(at, end, out[i]);
    if (error != std::errc() || !std::isfinite(out[i])) {
      return false;
    }
    at = next;
  }
  return at == end;
}

Result<Law> parse_law(std::string_view text) {
  Law law;
  std::array<double, 2> values{};
  if (text.starts_with(kIid) &&
      read_numbers(text.substr(kIid.size()), std::span(values).first(1)) && values[0] >= 0.0 &&
      values[0] <= 1.0) {
    law.acceptance = values[0];
    return law;
  }
  if (text.starts_with(kEntropy) && read_numbers(text.substr(kEntropy.size()), values) &&
      values[0] > 0.0 && values[0] <= kMostDecay && values[1] > 0.0 && values[1] <= kMostEntropy) {
    law.decay = values[0];
    law.mean_entropy = values[1];
    return law;
  }
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("a synthetic trace is iid:P with P from 0 to 1, or entropy:DECAY,MEAN "
                          "with DECAY above 0 and at most {} and MEAN above 0 and at most {} nats",
                          kMostDecay, kMostEntropy));
}

}  // namespace

bool is_synthetic(std::string_view text) {
  return text.starts_with(kIid) || text.starts_with(kEntropy);
}

Result<DraftTrace> make_synthetic_trace(std::string_view text, std::uint64_t seed,
                                        std::uint32_t positions, std::uint32_t depth) {
  const auto law = parse_law(text);
  if (!law) {
    return fail(law.error());
  }
  const ZipfRows rows;
  Rng rng(seed, "sim/trace");
  std::vector<TraceToken> path;  // the draft model's next row at every position
  path.reserve(positions);
  for (std::uint32_t i = 0; i < positions; ++i) {
    path.push_back(law->draw(rows, rng));
  }
  DraftTrace trace;
  trace.machine = "synthetic " + std::string(text);
  trace.target = trace.draft = trace.machine;
  trace.vocabulary = kVocabulary;
  trace.depth = depth;
  trace.top_p = kTopP;
  trace.no_beginning = true;
  trace.verify.assign(depth + std::size_t{1}, Seconds());  // nothing was measured
  trace.prompts.push_back({.id = std::string(text), .set = "synthetic", .positions = positions});
  trace.target_tokens.assign(positions, 0);
  trace.tokens.reserve(std::size_t{positions} * depth);
  for (std::uint32_t i = 0; i < positions; ++i) {
    bool on_path = true;
    for (std::uint32_t j = 0; j < depth; ++j) {
      const bool inside = i + j < positions;
      trace.tokens.push_back(on_path && inside ? path[i + j] : law->draw(rows, rng));
      trace.tokens.back().match &= static_cast<std::uint8_t>(inside);
      on_path = on_path && trace.tokens.back().match != 0;
    }
  }
  return trace;
}

}  // namespace gelato::sim
