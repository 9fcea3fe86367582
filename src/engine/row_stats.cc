#include "gelato/engine/row_stats.h"

#include <algorithm>
#include <cmath>
#include <limits>

// Highway compiles the code below once per instruction set and picks one at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "row_stats.cc"  // relative to the folder of this file
#include <hwy/foreach_target.h>            // IWYU pragma: keep
#include <hwy/highway.h>

#include "hwy/contrib/math/math-inl.h"
#include "row_scan.h"

HWY_BEFORE_NAMESPACE();
namespace gelato::engine {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// A block fits the first-level cache, so that memory is read once although a block is visited
// twice: for its maximum, then for the exponentials relative to it.
constexpr std::size_t kBlock = 2048;
// exp(-80) = 2e-35 is nothing beside the sum, which is at least 1; the clamp keeps 0 * -inf away.
constexpr float kFloor = -80.0F;

template <bool kWithSums>
RowScan scan(const float* HWY_RESTRICT x, std::size_t n) {
  const hn::ScalableTag<float> d;
  const std::size_t lanes = hn::Lanes(d);
  constexpr float kMinusInf = -std::numeric_limits<float>::infinity();
  auto top1 = hn::Set(d, kMinusInf);
  auto top2 = top1;
  auto nan_seen = hn::Zero(d);
  auto sum = hn::Zero(d);
  auto sum_x = hn::Zero(d);
  RowScan out;
  std::size_t max_block = 0;

  for (std::size_t begin = 0; begin < n; begin += kBlock) {
    const float* block = x + begin;
    const std::size_t size = std::min(kBlock, n - begin);
    const std::size_t whole = size - size % lanes;
    HWY_ALIGN float tail[HWY_MAX_BYTES / sizeof(float)];
    std::fill_n(tail, lanes, kMinusInf);
    std::copy(block + whole, block + size, tail);

    const auto track = [&](auto v) HWY_ATTR {
      nan_seen = hn::Or(nan_seen, hn::VecFromMask(d, hn::IsNaN(v)));
      top2 = hn::Max(top2, hn::Min(top1, v));
      top1 = hn::Max(top1, v);
    };
    for (std::size_t i = 0; i < whole; i += lanes) {
      track(hn::LoadU(d, block + i));
    }
    track(hn::Load(d, tail));
    const float block_max = hn::GetLane(hn::MaxOfLanes(d, top1));
    if (block_max > out.max1) {
      if constexpr (kWithSums) {
        // What was summed relative to the old maximum moves to the new one.
        const float shift = std::max(out.max1 - block_max, kFloor);
        const auto scale = hn::Set(d, std::exp(shift));
        sum_x = hn::Mul(scale, hn::MulAdd(sum, hn::Set(d, shift), sum_x));
        sum = hn::Mul(scale, sum);
      }
      out.max1 = block_max;
      max_block = begin;
    }
    if (kWithSums && out.max1 > kMinusInf) {
      const auto offset = hn::Set(d, out.max1);
      const auto floor = hn::Set(d, kFloor);
      const auto add = [&](auto v) HWY_ATTR {
        const auto shifted = hn::Max(hn::Sub(v, offset), floor);
        const auto e = hn::Exp(d, shifted);
        sum = hn::Add(sum, e);
        sum_x = hn::MulAdd(e, shifted, sum_x);
      };
      for (std::size_t i = 0; i < whole; i += lanes) {
        add(hn::LoadU(d, block + i));
      }
      add(hn::Load(d, tail));
    }
  }

  out.nan = !hn::AllFalse(d, hn::IsNaN(nan_seen));
  out.argmax = max_block;
  const std::size_t last = std::min(max_block + kBlock, n) - 1;
  while (out.argmax < last && x[out.argmax] != out.max1) {
    ++out.argmax;
  }
  // The second largest: the best of the other lanes' maxima and of the winning lane's second.
  HWY_ALIGN float t1[HWY_MAX_BYTES / sizeof(float)];
  HWY_ALIGN float t2[HWY_MAX_BYTES / sizeof(float)];
  hn::Store(top1, d, t1);
  hn::Store(top2, d, t2);
  const auto winner = static_cast<std::size_t>(std::max_element(t1, t1 + lanes) - t1);
  for (std::size_t i = 0; i < lanes; ++i) {
    out.max2 = std::max(out.max2, i == winner ? t2[i] : t1[i]);
  }
  out.sum = hn::GetLane(hn::SumOfLanes(d, sum));
  out.sum_x = hn::GetLane(hn::SumOfLanes(d, sum_x));
  return out;
}

RowScan scan_all(const float* x, std::size_t n) { return scan<true>(x, n); }
RowScan scan_max(const float* x, std::size_t n) { return scan<false>(x, n); }

}  // namespace HWY_NAMESPACE
}  // namespace gelato::engine
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gelato::engine {
namespace {

HWY_EXPORT(scan_all);
HWY_EXPORT(scan_max);

Result<void> check(bool nan, float max) {
  if (nan || !std::isfinite(max)) {
    return fail(ErrorCode::kInternal,
                "the model computed a probability row that is not a number; the model file is "
                "damaged or this processor's kernels are");
  }
  return {};
}

}  // namespace

Result<spec::RowStats> row_stats(std::span<const float> logits) {
  const auto raw = HWY_DYNAMIC_DISPATCH(scan_all)(logits.data(), logits.size());
  if (auto ok = check(raw.nan, raw.max1); !ok) {
    return fail(ok.error());
  }
  spec::RowStats stats;
  stats.top1 = static_cast<spec::Token>(raw.argmax);
  stats.top1_logit = raw.max1;
  stats.top1_prob = 1.0F / raw.sum;
  stats.logit_gap = raw.max1 - raw.max2;
  stats.margin = stats.top1_prob * (1.0F - std::exp(-stats.logit_gap));
  // H = log Z - E[x], both relative to the maximum; rounding must not make it negative.
  stats.entropy = std::max(0.0F, std::log(raw.sum) - raw.sum_x / raw.sum);
  return stats;
}

Result<spec::Token> row_argmax(std::span<const float> logits) {
  const auto raw = HWY_DYNAMIC_DISPATCH(scan_max)(logits.data(), logits.size());
  if (auto ok = check(raw.nan, raw.max1); !ok) {
    return fail(ok.error());
  }
  return static_cast<spec::Token>(raw.argmax);
}

}  // namespace gelato::engine
#endif  // HWY_ONCE
