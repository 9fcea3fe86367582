// Whatever the bytes of a trace file, and whatever the content of its frame: it is refused with a
// sentence, or it is a trace that keeps its rules and comes back as the same bytes.
#include <zstd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "gelato/sim/trace_file.h"

namespace {

void require(bool holds) {
  if (!holds) {
    __builtin_trap();
  }
}

void read(std::string_view bytes) {
  const auto trace = gelato::sim::decode_trace(bytes, "fuzz.trace");
  if (!trace) {
    require(trace.error().code != gelato::ErrorCode::kInternal && !trace.error().message.empty());
    return;
  }
  require(gelato::sim::check_trace(*trace).has_value());
  const auto again = gelato::sim::encode_trace(*trace);
  require(again.has_value());
  const auto copy = gelato::sim::decode_trace(*again, "copy.trace");
  require(copy.has_value() && *copy == *trace);
}

// A file around `content`, so that the checksum does not keep the fuzzer out.
std::string file_of(std::string_view content) {
  std::string frame(ZSTD_compressBound(content.size()), '\0');
  frame.resize(ZSTD_compress(frame.data(), frame.size(), content.data(), content.size(), 1));
  const std::uint32_t version = gelato::sim::kTraceVersion;
  const std::uint64_t sizes[2] = {content.size(), frame.size()};
  std::string file = "geltrace";
  file.resize(28);
  std::memcpy(file.data() + 8, &version, 4);
  std::memcpy(file.data() + 12, sizes, 16);
  return file + frame;
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  read(bytes);
  read(file_of(bytes));
  return 0;
}
