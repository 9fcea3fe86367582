// Any bytes as any message: never a crash, and what is accepted keeps its limits and comes back.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "gelato/proto/row_code.h"
#include "tests/proto/samples.h"

namespace {

using namespace gelato::proto;  // NOLINT(google-build-using-namespace)

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

void check(const DeviceMessage& message, const Dialect& dialect) {
  if (const auto* draft = std::get_if<Draft>(&message)) {
    require(draft->draft.size() <= kMaxDraft);
    for (std::size_t i = 0; i < draft->draft.size(); ++i) {
      const auto token = draft->draft.tokens()[i];
      require(token >= 0 && token < dialect.n_vocab());
      require(dialect.mode() != WireMode::kQRow || draft->draft.rows()[i].prob(token) > 0.0);
      require(dialect.mode() != WireMode::kDssd || (draft->q[i] > 0.0 && draft->q[i] <= 1.0));
    }
  } else if (const auto* open = std::get_if<Open>(&message)) {
    require(open->tokens.size() <= kMaxTextTokens && Dialect::of(*open).has_value());
  }
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Dialect dialects[] = {sample_dialect(WireMode::kIds),
                                     sample_dialect(WireMode::kQRow),
                                     sample_dialect(WireMode::kDssd)};
  if (size == 0) {
    return 0;
  }
  const Dialect& dialect = dialects[data[0] / 4 % 3];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0: {
      const Dialect* known = (data[0] & 0x80U) != 0 ? &dialect : nullptr;
      if (const auto message = decode_device_message(bytes, known)) {
        check(*message, dialect);
        const std::string again = encode(*message, &dialect);
        const auto twice = decode_device_message(again, known);
        require(twice.has_value() && encode(*twice, &dialect) == again);
      }
      break;
    }
    case 1:
      if (const auto message = decode_edge_message(bytes, dialect)) {
        require(decode_edge_message(encode(*message, dialect), dialect).has_value());
      }
      break;
    case 2:
      if (const auto info = decode_server_info(bytes)) {
        require(decode_server_info(encode(*info)) == *info);
      }
      decode_error(bytes);
      break;
    default:
      if (const auto row = decode_row({data + 1, size - 1}, 1000)) {
        std::vector<std::uint8_t> code;
        encode_row(*row, 1000, code);
        require(decode_row(code, 1000).has_value());
      }
  }
  return 0;
}
