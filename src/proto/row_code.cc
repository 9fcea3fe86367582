#include "gelato/proto/row_code.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>

#include "gelato/proto/limits.h"
#include "gelato/spec/bit_stream.h"

namespace gelato::proto {
namespace {

constexpr std::size_t kCountBytes = 4;
constexpr std::size_t kWeightBytes = 4;

float weight_of(const spec::TokenProb& entry) { return static_cast<float>(entry.prob); }

unsigned id_rice(spec::Token n_vocab, std::size_t count) {
  const auto mean_gap = static_cast<std::uint64_t>(n_vocab) / count;
  return mean_gap == 0 ? 0 : static_cast<unsigned>(std::bit_width(mean_gap)) - 1;
}

void put_u32(std::uint32_t value, std::vector<std::uint8_t>& out) {
  for (unsigned shift = 0; shift < 32; shift += 8) {
    out.push_back(static_cast<std::uint8_t>(value >> shift));
  }
}

// Precondition: bytes.size() >= 4.
std::uint32_t get_u32(std::span<const std::uint8_t> bytes) {
  return static_cast<std::uint32_t>(bytes[0]) | static_cast<std::uint32_t>(bytes[1]) << 8U |
         static_cast<std::uint32_t>(bytes[2]) << 16U | static_cast<std::uint32_t>(bytes[3]) << 24U;
}

tl::unexpected<WireError> broken(std::string_view how) {
  return refuse(ErrorKind::kRow, fmt::format("the target's row is broken: {}", how));
}

// The ids into `entries`, with probabilities of zero; returns the bytes they took.
WireResult<std::size_t> get_ids(std::span<const std::uint8_t> in, std::size_t count,
                                spec::Token n_vocab, std::vector<spec::TokenProb>& entries) {
  spec::BitReader reader(in);
  const unsigned rice = id_rice(n_vocab, count);
  std::uint64_t next = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t id = next + reader.get_rice(rice);
    if (reader.overrun()) {
      return broken("it ends too early");
    }
    if (id >= static_cast<std::uint64_t>(n_vocab)) {
      return broken("it names a token outside the vocabulary");
    }
    entries.push_back({static_cast<spec::Token>(id), 0.0});
    next = id + 1;
  }
  if (!reader.padding_is_zero()) {
    return broken("it is padded with something else than zeros");
  }
  return reader.bytes();
}

}  // namespace

double rounded_prob(const spec::SparseDist& row, spec::Token token) {
  assert(!row.empty());
  double sum = 0.0;
  double wanted = 0.0;
  for (const spec::TokenProb& entry : row.entries()) {
    const auto weight = static_cast<double>(weight_of(entry));
    sum += weight;
    wanted = entry.token == token ? weight : wanted;
  }
  return wanted / sum;
}

void encode_row(const spec::SparseDist& row, spec::Token n_vocab, std::vector<std::uint8_t>& out) {
  const auto kept = [](const spec::TokenProb& entry) { return weight_of(entry) > 0.0F; };
  const auto count =
      static_cast<std::size_t>(std::count_if(row.entries().begin(), row.entries().end(), kept));
  assert(count > 0 && count <= kMaxRowEntries);
  put_u32(static_cast<std::uint32_t>(count), out);
  spec::BitWriter writer(out);
  const unsigned rice = id_rice(n_vocab, count);
  spec::Token next = 0;
  for (const spec::TokenProb& entry : row.entries()) {
    if (kept(entry)) {
      writer.put_rice(static_cast<std::uint32_t>(entry.token - next), rice);
      next = entry.token + 1;
    }
  }
  for (const spec::TokenProb& entry : row.entries()) {
    if (kept(entry)) {
      put_u32(std::bit_cast<std::uint32_t>(weight_of(entry)), out);
    }
  }
}

WireResult<spec::SparseDist> decode_row(std::span<const std::uint8_t> code, spec::Token n_vocab) {
  if (code.size() < kCountBytes) {
    return broken("it ends too early");
  }
  const std::size_t count = get_u32(code);
  code = code.subspan(kCountBytes);
  if (count == 0 || count > kMaxRowEntries) {
    return broken(
        fmt::format("it claims {} entries, and 1 to {} are possible", count, kMaxRowEntries));
  }
  if (code.size() < count * kWeightBytes) {
    return broken("it ends too early");
  }
  spec::SparseDist row;
  std::vector<spec::TokenProb>& entries = row.storage();
  entries.reserve(count);
  const auto ids = get_ids(code.first(code.size() - count * kWeightBytes), count, n_vocab, entries);
  if (!ids) {
    return refuse(ids.error());
  }
  code = code.subspan(*ids);
  if (code.size() != count * kWeightBytes) {
    return broken("bytes are left over");
  }
  double sum = 0.0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto weight = std::bit_cast<float>(get_u32(code.subspan(i * kWeightBytes)));
    if (!std::isfinite(weight) || weight <= 0.0F) {
      return broken("a weight is not a finite number above zero");
    }
    entries[i].prob = static_cast<double>(weight);
    sum += entries[i].prob;
  }
  if (!(std::abs(sum - 1.0) <= kRowSumTolerance)) {
    return broken(fmt::format("it sums to {}, not to 1", sum));
  }
  row.normalise();
  return row;
}

}  // namespace gelato::proto
