#include "tests/support/chi_square.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>
#include <vector>

namespace gelato::toy {
namespace {

constexpr int kMaxTerms = 10000;
constexpr double kPrecision = 1e-15;
// Twice the usual 5, for tails as far out as 1e-6.
constexpr double kMinMean = 10.0;

// x^a e^-x / Gamma(a), the factor that both expansions share.
double gamma_factor(double a, double x) { return std::exp(a * std::log(x) - x - std::lgamma(a)); }

// The regularised lower incomplete gamma function by its power series; good for x < a + 1.
double lower_gamma(double a, double x) {
  double term = 1.0 / a;
  double sum = term;
  for (int n = 1; n < kMaxTerms && term > sum * kPrecision; ++n) {
    term *= x / (a + n);
    sum += term;
  }
  return sum * gamma_factor(a, x);
}

// The upper one by its continued fraction (DLMF 8.9.2), evaluated from the front; for x >= a + 1.
double upper_gamma(double a, double x) {
  double b = x + 1.0 - a;
  double c = 1e300;
  double d = 1.0 / b;
  double fraction = d;
  for (int n = 1; n < kMaxTerms; ++n) {
    const double numerator = -n * (n - a);
    b += 2.0;
    d = 1.0 / (numerator * d + b);
    c = b + numerator / c;
    fraction *= c * d;
    if (std::abs(c * d - 1.0) < kPrecision) {
      break;
    }
  }
  return fraction * gamma_factor(a, x);
}

}  // namespace

double chi_square_tail(double x, std::size_t degrees) {
  if (degrees == 0 || x <= 0.0) {
    return 1.0;
  }
  const double a = static_cast<double>(degrees) / 2.0;
  return x / 2.0 < a + 1.0 ? 1.0 - lower_gamma(a, x / 2.0) : upper_gamma(a, x / 2.0);
}

double chi_square_p_value(std::span<const std::uint64_t> counts, std::span<const double> expected) {
  assert(counts.size() == expected.size());
  const auto total =
      static_cast<double>(std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}));
  struct Cell {
    double mean = 0.0;
    double count = 0.0;
  };
  std::vector<Cell> cells;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    cells.push_back({.mean = total * expected[i], .count = static_cast<double>(counts[i])});
    if (cells.back().mean <= 0.0 && counts[i] > 0) {
      return 0.0;
    }
  }
  std::sort(cells.begin(), cells.end(),
            [](const Cell& a, const Cell& b) { return a.mean < b.mean; });
  Cell pool;
  double statistic = 0.0;
  std::size_t used = 0;
  const auto add = [&](const Cell& cell) {
    statistic += (cell.count - cell.mean) * (cell.count - cell.mean) / cell.mean;
    ++used;
  };
  for (const Cell& cell : cells) {
    if (cell.mean < kMinMean || pool.mean < kMinMean) {
      pool.mean += cell.mean;
      pool.count += cell.count;
    } else {
      add(cell);
    }
  }
  if (pool.mean > 0.0) {
    add(pool);
  }
  return chi_square_tail(statistic, used > 0 ? used - 1 : 0);
}

}  // namespace gelato::toy
