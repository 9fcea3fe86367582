// Bit strings, lowest bit of each byte first, with Rice codes: a reader, a writer, and a counter
// that takes the writer's place when only the length matters.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace gelato::spec {

// Length of the Rice code of `value` with parameter `r`.
constexpr std::size_t rice_bits(std::uint32_t value, unsigned r) { return (value >> r) + 1 + r; }

class BitCounter {
 public:
  void put(std::uint32_t /*value*/, unsigned bits) { bits_ += bits; }
  void put_rice(std::uint32_t value, unsigned r) { bits_ += rice_bits(value, r); }
  [[nodiscard]] std::size_t bytes() const { return (bits_ + 7) / 8; }

 private:
  std::size_t bits_ = 0;
};

// Appends to `out`, starting at a byte boundary; unused bits of the last byte are zero.
class BitWriter {
 public:
  explicit BitWriter(std::vector<std::uint8_t>& out) : out_(out) {}

  // The low `bits` bits of `value`, bits <= 32.
  void put(std::uint32_t value, unsigned bits) {
    for (unsigned i = 0; i < bits; ++i) {
      put_bit((value >> i) & 1U);
    }
  }
  void put_rice(std::uint32_t value, unsigned r) {
    for (std::uint32_t i = 0; i < value >> r; ++i) {
      put_bit(1);
    }
    put_bit(0);
    put(value, r);
  }

 private:
  void put_bit(unsigned bit) {
    if (used_ == 0) {
      out_.push_back(0);
    }
    out_.back() = static_cast<std::uint8_t>(out_.back() | (bit << used_));
    used_ = (used_ + 1) % 8;
  }

  std::vector<std::uint8_t>& out_;
  unsigned used_ = 0;  // bits of the last byte
};

// Reads zeros beyond the end and remembers that it did, so one check at the end is enough.
class BitReader {
 public:
  explicit BitReader(std::span<const std::uint8_t> in) : in_(in) {}

  std::uint32_t get(unsigned bits) {
    std::uint32_t value = 0;
    for (unsigned i = 0; i < bits; ++i) {
      value |= get_bit() << i;
    }
    return value;
  }
  // As wide as any input can make it: the unary part is no longer than the input.
  std::uint64_t get_rice(unsigned r) {
    std::uint64_t high = 0;
    while (get_bit() != 0) {
      ++high;
    }
    return (high << r) | get(r);
  }

  // Whether more was read than there is.
  [[nodiscard]] bool overrun() const { return at_ > 8 * in_.size(); }
  // Bytes touched so far. Precondition: !overrun().
  [[nodiscard]] std::size_t bytes() const { return (at_ + 7) / 8; }
  // Whether the rest of the last byte touched is zero.
  [[nodiscard]] bool padding_is_zero() const {
    return at_ % 8 == 0 || (in_[at_ / 8] >> (at_ % 8)) == 0;
  }

 private:
  std::uint32_t get_bit() {
    const std::size_t at = at_++;
    return at < 8 * in_.size() ? (in_[at / 8] >> (at % 8)) & 1U : 0U;
  }

  std::span<const std::uint8_t> in_;
  std::size_t at_ = 0;
};

}  // namespace gelato::spec
