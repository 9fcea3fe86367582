#include "gelato/base/rng.h"

namespace gelato {
namespace {

// Multipliers and Weyl constants of Philox4x32 (Salmon et al. 2011, section 3.3).
constexpr std::uint64_t kMul0 = 0xD2511F53;
constexpr std::uint64_t kMul1 = 0xCD9E8D57;
constexpr std::uint32_t kWeyl0 = 0x9E3779B9;
constexpr std::uint32_t kWeyl1 = 0xBB67AE85;

constexpr std::uint32_t low(std::uint64_t x) { return static_cast<std::uint32_t>(x); }
constexpr std::uint32_t high(std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); }

}  // namespace

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> c,
                                        std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = kMul0 * c[0];
    const std::uint64_t p1 = kMul1 * c[2];
    c = {high(p1) ^ c[1] ^ key[0], low(p1), high(p0) ^ c[3] ^ key[1], low(p0)};
    key = {key[0] + kWeyl0, key[1] + kWeyl1};
  }
  return c;
}

std::uint64_t Rng::bits() {
  const auto out = philox4x32({low(position_), high(position_), low(stream_), high(stream_)},
                              {low(seed_), high(seed_)});
  ++position_;
  return (static_cast<std::uint64_t>(out[1]) << 32) | out[0];
}

std::uint64_t Rng::below(std::uint64_t n) {
  __extension__ using uint128 = unsigned __int128;
  return static_cast<std::uint64_t>((static_cast<uint128>(bits()) * n) >> 64);
}

}  // namespace gelato
