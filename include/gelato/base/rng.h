// Randomness that is the same on every machine and standard library.
//
// The generator is counter-based (Philox4x32-10; Salmon et al., "Parallel random numbers: as easy
// as 1, 2, 3", SC 2011): number i of a stream is a pure function of (seed, stream, i). So a stream
// can be continued anywhere from three integers, and two streams never overlap.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace gelato {

// Ten rounds of Philox4x32 on `counter` under `key`; checked against the published test vectors.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

// 64-bit FNV-1a of `name`; names a stream.
constexpr std::uint64_t stream_id(std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : name) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  }
  return hash;
}

// One stream of random numbers. Copyable: a copy continues from the same place.
class Rng {
 public:
  Rng(std::uint64_t seed, std::uint64_t stream, std::uint64_t position = 0)
      : seed_(seed), stream_(stream), position_(position) {}
  Rng(std::uint64_t seed, std::string_view stream) : Rng(seed, stream_id(stream)) {}

  // Uniform on [0, 1): a multiple of 2^-53.
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1.0p-53; }
  // 64 uniform bits.
  std::uint64_t bits();
  // Uniform on {0, ..., n-1}; n > 0. The bias of at most n * 2^-64 is below anything measurable.
  std::uint64_t below(std::uint64_t n);

  // How many numbers have been drawn; with seed and stream, the whole state.
  [[nodiscard]] std::uint64_t position() const { return position_; }

 private:
  std::uint64_t seed_;
  std::uint64_t stream_;
  std::uint64_t position_;
};

}  // namespace gelato
