// Whatever the text of a link trace: it is refused with a sentence, or its rows make a channel that
// moves on and, where it is accepted, delivers.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "gelato/link/trace.h"

namespace {

using namespace gelato;
using namespace gelato::link;

void replay(const Trace& trace, std::optional<Seconds> repeat) {
  const auto channel = TraceChannel::create(trace, repeat);
  if (!channel) {
    return;
  }
  if (!std::isfinite(transmit_end(*channel, Seconds(0.25), Bits(1000)).value())) {
    std::abort();
  }
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto trace = parse_trace({reinterpret_cast<const char*>(data), size});
  if (!trace) {
    if (trace.error().message.empty() || trace.error().message.size() > 400) {
      std::abort();
    }
    return 0;
  }
  replay(*trace, std::nullopt);
  replay(*trace, trace->back().time + Seconds(1));
  return 0;
}
