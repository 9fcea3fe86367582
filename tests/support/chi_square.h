// Pearson's chi-square test of counts against exact probabilities.
#pragma once

#include <cstdint>
#include <span>

namespace gelato::toy {

// P(X >= x) for X chi-square distributed with `degrees` degrees of freedom.
double chi_square_tail(double x, std::size_t degrees);

// P-value of `counts` under the probabilities `expected` (one per cell, sum 1): the chance that
// counts at least this far off come from that distribution. The cells that expect the fewest counts
// are pooled until each cell used expects 10, so that the approximation holds. 0 if a cell of
// probability zero was counted.
double chi_square_p_value(std::span<const std::uint64_t> counts, std::span<const double> expected);

}  // namespace gelato::toy
