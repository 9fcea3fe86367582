// Whatever bytes arrive: decoding ends in an error or a row, and a row has a canonical code, no
// longer than what arrived, that decodes to the same row.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "gelato/spec/dist_codec.h"

using gelato::spec::DistCodec;
using gelato::spec::SparseDist;

namespace {

void check(bool ok) {
  if (!ok) {
    std::abort();
  }
}

void decode_all(const DistCodec& codec, std::span<const std::uint8_t> in) {
  SparseDist row;
  SparseDist again;
  std::vector<std::uint8_t> canonical;
  while (!in.empty()) {
    const std::size_t before = in.size();
    if (!codec.decode(in, row)) {
      check(in.size() == before && row.empty());
      return;
    }
    const std::size_t used = before - in.size();
    check(used > 0 && used <= codec.params().max_bytes);
    check(SparseDist::from_entries({row.entries().begin(), row.entries().end()},
                                   codec.params().n_vocab, 0.0)
              .has_value());
    canonical.clear();
    codec.encode(row, canonical);
    check(canonical.size() <= used);
    std::span<const std::uint8_t> rest(canonical);
    check(codec.decode(rest, again).has_value() && rest.empty() && again == row);
    codec.quantise(again);
    check(again == row);
  }
}

}  // namespace

// The first byte chooses among parameters, small and large.
// NOLINTNEXTLINE(readability-identifier-naming): the name that libFuzzer calls
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<DistCodec> codecs{
      DistCodec::create({.n_vocab = 4096}).value(), DistCodec::create({.n_vocab = 151936}).value(),
      DistCodec::create({.max_entries = 3, .weight_bits = 6, .max_bytes = 4, .n_vocab = 5}).value(),
      DistCodec::create(
          {.max_entries = 256, .weight_bits = 16, .max_bytes = 1024, .n_vocab = 2147483647})
          .value()};
  if (size > 0) {
    decode_all(codecs[data[0] % codecs.size()], {data + 1, size - 1});
  }
  return 0;
}
