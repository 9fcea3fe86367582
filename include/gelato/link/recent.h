// The last N of something, oldest first, without allocation.
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>

namespace gelato::link {

template <class T, std::size_t N>
class Recent {
 public:
  void push(const T& value) {
    items_[(first_ + size_) % N] = value;
    if (size_ < N) {
      ++size_;
    } else {
      first_ = (first_ + 1) % N;
    }
  }
  // Forgets all but the newest `n`.
  void keep(std::size_t n) {
    const std::size_t kept = std::min(n, size_);
    first_ = (first_ + size_ - kept) % N;
    size_ = kept;
  }
  [[nodiscard]] std::size_t size() const { return size_; }
  // Precondition: i < size().
  [[nodiscard]] const T& operator[](std::size_t i) const {
    assert(i < size_);
    return items_[(first_ + i) % N];
  }

 private:
  std::array<T, N> items_{};
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

}  // namespace gelato::link
