// Whatever the text of a link specification: it is refused with a sentence, or it reads back as
// itself and, unless it needs a trace file, makes a link that delivers.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <variant>

#include "gelato/link/link_emulator.h"
#include "gelato/link/link_spec.h"

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gelato;
  using namespace gelato::link;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto spec = parse_link_spec(text);
  if (!spec) {
    if (spec.error().message.empty() || spec.error().message.size() > 400) {
      std::abort();
    }
    return 0;
  }
  const auto again = parse_link_spec(to_string(*spec));
  if (!again || *again != *spec) {
    std::abort();
  }
  if (std::holds_alternative<TraceReplay>(spec->up)) {
    return 0;
  }
  auto emulator = LinkEmulator::create(*spec, {}, 1, Seconds(10));
  if (!emulator) {
    std::abort();
  }
  Seconds before;
  for (int i = 0; i < 3; ++i) {
    const Seconds arrival = emulator->send(Direction::kUp, Seconds(10), 100);
    if (!std::isfinite(arrival.value()) || arrival < before || arrival < Seconds(10)) {
      std::abort();
    }
    before = arrival;
  }
  return 0;
}
