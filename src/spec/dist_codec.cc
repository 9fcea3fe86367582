#include "gelato/spec/dist_codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cmath>
#include <limits>

#include "gelato/spec/bit_stream.h"

namespace gelato::spec {
namespace {

bool by_token(const TokenProb& a, const TokenProb& b) { return a.token < b.token; }

bool more_probable(const TokenProb& a, const TokenProb& b) {
  return a.prob != b.prob ? a.prob > b.prob : a.token < b.token;
}

unsigned bits_for(std::uint32_t largest) { return static_cast<unsigned>(std::bit_width(largest)); }

unsigned id_rice(Token n_vocab, std::size_t count) {
  const auto mean_gap = static_cast<std::uint64_t>(n_vocab) / count;
  return mean_gap == 0 ? 0 : static_cast<unsigned>(std::bit_width(mean_gap)) - 1;
}

double units(const DistCodecParams& params) { return std::ldexp(1.0, int(params.weight_bits)); }

// Largest remainder: turns the probabilities, of any sum, into multiples of 1 / units that sum to
// 1, and drops those that become zero. Leaves the entries in token order.
void apportion(std::vector<TokenProb>& entries, double units) {
  double sum = 0.0;
  for (const TokenProb& e : entries) {
    sum += e.prob;
  }
  double left = units;
  for (TokenProb& e : entries) {
    e.prob *= units / sum;
    left -= std::floor(e.prob);
  }
  const auto larger_remainder = [](const TokenProb& a, const TokenProb& b) {
    const double ra = a.prob - std::floor(a.prob);
    const double rb = b.prob - std::floor(b.prob);
    return ra != rb ? ra > rb : a.token < b.token;
  };
  std::sort(entries.begin(), entries.end(), larger_remainder);
  for (TokenProb& e : entries) {
    const double extra = left > 0.0 ? 1.0 : 0.0;
    left -= extra;
    e.prob = (std::floor(e.prob) + extra) / units;
  }
  std::erase_if(entries, [](const TokenProb& e) { return e.prob == 0.0; });
  std::sort(entries.begin(), entries.end(), by_token);
}

// The code of a row of weights / 2^b into a BitWriter or BitCounter; the layout is in the header.
template <class Bits>
void put_row(std::span<const TokenProb> entries, const DistCodecParams& params, Bits& out) {
  const std::size_t count = entries.size();
  out.put(static_cast<std::uint32_t>(count - 1), bits_for(params.max_entries - 1));
  const unsigned id_r = id_rice(params.n_vocab, count);
  Token next = 0;
  for (const TokenProb& e : entries) {
    out.put_rice(static_cast<std::uint32_t>(e.token - next), id_r);
    next = e.token + 1;
  }
  if (count == 1) {
    return;
  }
  const auto largest = static_cast<std::size_t>(
      std::min_element(entries.begin(), entries.end(), more_probable) - entries.begin());
  out.put(static_cast<std::uint32_t>(largest), bits_for(static_cast<std::uint32_t>(count - 1)));

  const auto for_each_other = [&](auto visit) {
    for (std::size_t i = 0; i < count; ++i) {
      if (i != largest) {
        visit(static_cast<std::uint32_t>(std::lround(entries[i].prob * units(params))) - 1);
      }
    }
  };
  unsigned best_r = 0;
  std::size_t best_bits = std::numeric_limits<std::size_t>::max();
  for (unsigned r = 0; r < params.weight_bits; ++r) {
    std::size_t total = 0;
    for_each_other([&](std::uint32_t v) { total += rice_bits(v, r); });
    if (total < best_bits) {
      best_bits = total;
      best_r = r;
    }
  }
  out.put(best_r, bits_for(params.weight_bits - 1));
  for_each_other([&](std::uint32_t v) { out.put_rice(v, best_r); });
}

std::size_t coded_bytes(std::span<const TokenProb> entries, const DistCodecParams& params) {
  BitCounter counter;
  put_row(entries, params, counter);
  return counter.bytes();
}

// The ids of a row, and its shape, from a reader; the entries' probabilities are left at zero.
const char* get_ids(BitReader& in, const DistCodecParams& params, std::vector<TokenProb>& entries) {
  const std::size_t count = std::size_t{in.get(bits_for(params.max_entries - 1))} + 1;
  if (count > params.max_entries) {
    return "it has too many entries";
  }
  const unsigned id_r = id_rice(params.n_vocab, count);
  std::uint64_t next = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t id = next + in.get_rice(id_r);
    if (id >= static_cast<std::uint64_t>(params.n_vocab)) {
      return "it names a token outside the vocabulary";
    }
    entries.push_back({static_cast<Token>(id), 0.0});
    next = id + 1;
  }
  return nullptr;
}

const char* get_weights(BitReader& in, const DistCodecParams& params,
                        std::vector<TokenProb>& entries) {
  std::size_t largest = 0;
  std::uint64_t left = std::uint64_t{1} << params.weight_bits;
  if (entries.size() > 1) {
    largest = in.get(bits_for(static_cast<std::uint32_t>(entries.size() - 1)));
    const unsigned r = in.get(bits_for(params.weight_bits - 1));
    if (largest >= entries.size() || r >= params.weight_bits) {
      return "its weights are described by an impossible code";
    }
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (i == largest) {
        continue;
      }
      const std::uint64_t weight = in.get_rice(r) + 1;
      if (weight >= left) {
        return "its weights sum to more than one";
      }
      left -= weight;
      entries[i].prob = static_cast<double>(weight) / units(params);
    }
  }
  entries[largest].prob = static_cast<double>(left) / units(params);
  return nullptr;
}

}  // namespace

DistCodec::DistCodec(const DistCodecParams& params) : params_(params) {}

Result<DistCodec> DistCodec::create(const DistCodecParams& params) {
  const auto reject = [](const char* name, std::int64_t value, std::int64_t low,
                         std::int64_t high) {
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format("the row codec's {} is {}, but must be from {} to {}", name, value, low, high));
  };
  if (params.max_entries < 1 || params.max_entries > kMaxEntries) {
    return reject("max_entries", params.max_entries, 1, kMaxEntries);
  }
  if (params.weight_bits < 1 || params.weight_bits > kMaxWeightBits) {
    return reject("weight_bits", params.weight_bits, 1, kMaxWeightBits);
  }
  if (params.n_vocab < 1) {
    return reject("n_vocab", params.n_vocab, 1, std::numeric_limits<Token>::max());
  }
  const TokenProb longest{params.n_vocab - 1, 1.0};
  const std::size_t one_entry = coded_bytes({&longest, 1}, params);
  if (params.max_bytes < one_entry || params.max_bytes > kMaxBytes) {
    return reject("max_bytes", params.max_bytes, static_cast<std::int64_t>(one_entry), kMaxBytes);
  }
  return DistCodec(params);
}

void DistCodec::quantise(SparseDist& row) const {
  assert(!row.empty());
  std::vector<TokenProb>& entries = row.storage();
  std::size_t count = std::min<std::size_t>(params_.max_entries, entries.size());
  std::array<TokenProb, kMaxEntries> best;
  std::partial_sort_copy(entries.begin(), entries.end(), best.begin(),
                         best.begin() + static_cast<std::ptrdiff_t>(count), more_probable);
  do {
    entries.assign(best.begin(), best.begin() + static_cast<std::ptrdiff_t>(count));
    apportion(entries, units(params_));
    --count;
  } while (coded_bytes(entries, params_) > params_.max_bytes);  // one entry always fits: create()
}

void DistCodec::encode(const SparseDist& row, std::vector<std::uint8_t>& out) const {
  assert(!row.empty() && row.size() <= params_.max_entries);
  BitWriter writer(out);
  put_row(row.entries(), params_, writer);
}

Result<void> DistCodec::decode(std::span<const std::uint8_t>& in, SparseDist& row) const {
  row.clear();
  const bool enough = in.size() >= params_.max_bytes;
  BitReader reader(enough ? in.first(params_.max_bytes) : in);
  const char* problem = get_ids(reader, params_, row.storage());
  if (problem == nullptr) {
    problem = get_weights(reader, params_, row.storage());
  }
  if (reader.overrun()) {
    problem = enough ? "it is longer than agreed" : "it ends too early";
  } else if (problem == nullptr && !reader.padding_is_zero()) {
    problem = "it is padded with something else than zeros";
  }
  if (problem != nullptr) {
    row.clear();
    return fail(ErrorCode::kCorrupt, fmt::format("a coded probability row is broken: {}", problem));
  }
  in = in.subspan(reader.bytes());
  return {};
}

}  // namespace gelato::spec
