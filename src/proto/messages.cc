#include "gelato/proto/messages.h"

namespace gelato::proto {

std::string_view to_string(WireMode mode) {
  switch (mode) {
    case WireMode::kIds:
      return "ids";
    case WireMode::kQRow:
      return "qrow";
    case WireMode::kDssd:
      return "dssd";
  }
  return "unknown";
}

std::uint64_t text_hash(std::span<const spec::Token> tokens) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const spec::Token token : tokens) {
    for (unsigned shift = 0; shift < 32; shift += 8) {
      hash = (hash ^ ((static_cast<std::uint32_t>(token) >> shift) & 0xffU)) * 0x100000001b3ULL;
    }
  }
  return hash;
}

}  // namespace gelato::proto
