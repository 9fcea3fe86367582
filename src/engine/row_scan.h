// What the vectorised scan of a row finds. Its own header, because row_stats.cc is compiled once
// per instruction set and all of them return the same type.
#pragma once

#include <cstddef>
#include <limits>

namespace gelato::engine {

// Sums over a row relative to its largest logit, and where that is.
struct RowScan {
  float max1 = -std::numeric_limits<float>::infinity();
  float max2 = -std::numeric_limits<float>::infinity();
  std::size_t argmax = 0;
  float sum = 0.0F;    // of exp(x - max1)
  float sum_x = 0.0F;  // of exp(x - max1) * (x - max1)
  bool nan = false;
};

}  // namespace gelato::engine
