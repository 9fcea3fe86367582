// Whatever the text, parse_profile() returns: a profile within its limits, or one sentence.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "gelato/energy/device_profile.h"

namespace {

void require(bool holds) {
  if (!holds) {
    __builtin_trap();
  }
}

void check(const gelato::energy::DeviceProfile& p) {
  require(!p.name.empty() && p.name.size() <= gelato::energy::kMaxProfileName);
  require(p.citations.size() == 8);
  for (const auto& citation : p.citations) {
    require(std::isfinite(citation.value) && !citation.source.empty());
  }
  const double longest = p.draft_time(UINT32_MAX, UINT32_MAX).value();
  require(std::isfinite(longest) && longest > 0.0);
  require(p.draft_power.value() > 0.0 && p.idle <= p.draft_power);
  require(p.rx_power() >= p.idle && p.tx_power() >= p.idle);
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto profile = gelato::energy::parse_profile(text, "fuzz.toml");
  if (profile) {
    check(*profile);
  } else {
    require(profile.error().code != gelato::ErrorCode::kInternal);
    for (const char c : profile.error().message) {
      require(c >= 0x20 && c < 0x7F);
    }
  }
  return 0;
}
