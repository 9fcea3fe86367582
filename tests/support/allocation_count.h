// Counts heap allocations, for tests of "does not allocate in the steady state". Replaces the
// global operator new: include it in exactly one .cc file of a test executable.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace gelato::toy {

inline std::atomic<std::size_t> allocations{0};
// While true, what this thread allocates is not counted: it is inside someone else's code.
inline thread_local bool allocations_of_others = false;

// How often `work` allocates.
template <class Work>
std::size_t count_allocations(Work work) {
  const std::size_t before = allocations;
  work();
  return allocations - before;
}

}  // namespace gelato::toy

// Not inlined, because g++ would take the halves that it sees for a mismatch.
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (!gelato::toy::allocations_of_others) {
    ++gelato::toy::allocations;
  }
  void* memory = std::malloc(size);
  if (memory == nullptr) {
    throw std::bad_alloc();
  }
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t /*size*/) noexcept {
  std::free(memory);
}
