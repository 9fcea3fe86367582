// The parser over arbitrary bytes, and whatever it makes driven with arbitrary doubles.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "gelato/control/policy.h"
#include "gelato/control/policy_kind.h"
#include "tests/control/drive.h"

namespace {

using gelato::control::Parameter;
using gelato::control::Policy;

[[noreturn]] void defect(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::abort();
}

// The input as a sequence of doubles: each byte below 8 names a special value, any other starts
// eight bytes of representation. An exhausted input gives zeros.
class Numbers {
 public:
  Numbers(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  [[nodiscard]] bool empty() const { return size_ == 0; }
  std::uint8_t byte() {
    if (size_ == 0) {
      return 0;
    }
    --size_;
    return *data_++;
  }
  double operator()() {
    constexpr std::array kPlausible{0.0, 1e-3, 0.02, 0.3, 0.9, 1.0, 4.0, 1e7};
    const std::uint8_t first = byte();
    if (first < kPlausible.size()) {
      return kPlausible.at(first);
    }
    std::array<std::uint8_t, sizeof(double)> bytes{};
    for (std::uint8_t& b : bytes) {
      b = byte();
    }
    double value = 0.0;
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
};

// Any policy with parameters somewhere in their ranges.
std::string valid_text(Numbers& in) {
  const auto kinds = gelato::control::policy_kinds();
  const auto& kind = *kinds[in.byte() % kinds.size()];
  std::string out(kind.name);
  for (const Parameter& p : kind.parameters) {
    const double share = (in.byte() + 1) / 256.0;
    double value = p.min + share * (p.max - p.min);
    value = p.whole ? std::round(value) : value;
    out += fmt::format("{}{}={}", out == kind.name ? ":" : ",", p.name, value);
  }
  return out;
}

void drive(Policy& policy, Numbers& in) {
  for (std::uint64_t round = 0; round < 40 && !in.empty(); ++round) {
    if (const auto wrong = gelato::control::testing::play_round(policy, round, in);
        !wrong.empty()) {
      defect(policy.name() + ": " + wrong);
    }
  }
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Numbers in(data, size);
  const bool arbitrary = in.byte() % 2 == 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string text = arbitrary ? std::string(bytes.substr(size > 0 ? 1 : 0)) : valid_text(in);
  const auto policy = gelato::control::make_policy(text);
  if (!policy) {
    if (!arbitrary || policy.error().message.empty()) {
      defect("refused: " + text + ": " + policy.error().message);
    }
    return 0;
  }
  const auto again = gelato::control::make_policy((*policy)->name());
  if (!again || (*again)->name() != (*policy)->name()) {
    defect("does not recreate itself: " + (*policy)->name());
  }
  drive(**policy, in);
  return 0;
}
