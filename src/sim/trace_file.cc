#include "gelato/sim/trace_file.h"

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <system_error>
#include <vector>

#include "trace_content.h"

namespace gelato::sim {
namespace {

constexpr std::string_view kMagic = "geltrace";
constexpr std::size_t kHeaderBytes = 28;
// Half a second for 7 MB, and within a few percent of the strongest level.
constexpr int kLevel = 9;

struct Header {
  std::uint32_t version = kTraceVersion;
  std::uint64_t content_bytes = 0;
  std::uint64_t frame_bytes = 0;
};

std::string to_bytes(const Header& header) {
  std::string out(kHeaderBytes, '\0');
  std::memcpy(out.data(), kMagic.data(), 8);
  std::memcpy(out.data() + 8, &header.version, 4);
  std::memcpy(out.data() + 12, &header.content_bytes, 8);
  std::memcpy(out.data() + 20, &header.frame_bytes, 8);
  return out;
}

constexpr std::string_view kRecordAgain = "record it again with gelato trace record";

Result<Header> parse_header(std::string_view bytes) {
  if (bytes.substr(0, kMagic.size()) != kMagic) {
    return fail(ErrorCode::kCorrupt,
                "it is not a draft trace; name a file that gelato trace record wrote");
  }
  Header header;
  if (bytes.size() >= 12) {
    std::memcpy(&header.version, bytes.data() + 8, 4);
  }
  if (header.version != kTraceVersion) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("it has version {} of the trace format and this program reads version "
                            "{}; {} of this version",
                            header.version, kTraceVersion, kRecordAgain));
  }
  if (bytes.size() >= kHeaderBytes) {
    std::memcpy(&header.content_bytes, bytes.data() + 12, 8);
    std::memcpy(&header.frame_bytes, bytes.data() + 20, 8);
  }
  if (bytes.size() < kHeaderBytes || bytes.size() - kHeaderBytes < header.frame_bytes) {
    return fail(
        ErrorCode::kCorrupt,
        fmt::format("it is cut short: it has {} bytes of {}; copy it again, or {}", bytes.size(),
                    bytes.size() < kHeaderBytes
                        ? fmt::format("at least {}", kHeaderBytes)
                        : fmt::format("{}", kHeaderBytes + header.frame_bytes),
                    kRecordAgain));
  }
  return header;
}

tl::unexpected<Error> damaged(std::string_view what) {
  return fail(ErrorCode::kCorrupt,
              fmt::format("it is damaged: {}; copy it again, or {}", what, kRecordAgain));
}

tl::unexpected<Error> too_large(std::uint64_t bytes) {
  return fail(ErrorCode::kLimitExceeded,
              fmt::format("it holds {} bytes, but at most {} are allowed; record fewer prompts",
                          bytes, kMaxTraceContent));
}

struct FreeContext {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

Result<std::string> compress(std::string_view content) {
  const std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
  if (context == nullptr) {
    return fail(ErrorCode::kInternal, "zstd could not be set up");
  }
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, kLevel);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
  std::string out(ZSTD_compressBound(content.size()), '\0');
  const std::size_t size =
      ZSTD_compress2(context.get(), out.data(), out.size(), content.data(), content.size());
  if (ZSTD_isError(size) != 0) {
    return fail(ErrorCode::kInternal, fmt::format("zstd: {}", ZSTD_getErrorName(size)));
  }
  out.resize(size);
  return out;
}

// Memory grows with what the frame really holds: a header is cheap to forge.
Result<std::string> decompress(std::string_view frame, std::size_t content_bytes) {
  const std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
  if (context == nullptr) {
    return fail(ErrorCode::kInternal, "zstd could not be set up");
  }
  std::string out;
  std::vector<char> piece(ZSTD_DStreamOutSize());
  ZSTD_inBuffer in{frame.data(), frame.size(), 0};
  std::size_t hint = 1;  // 0: the frame is complete and its checksum right
  while (hint != 0) {
    ZSTD_outBuffer to{piece.data(), piece.size(), 0};
    const std::size_t before = in.pos;
    hint = ZSTD_decompressStream(context.get(), &to, &in);
    if (ZSTD_isError(hint) != 0) {
      return damaged(ZSTD_getErrorName(hint));
    }
    if (to.pos > content_bytes - out.size()) {
      return damaged("it holds more than its header says");
    }
    out.append(piece.data(), to.pos);
    if (hint != 0 && to.pos == 0 && in.pos == before) {
      return damaged("its end is missing");
    }
  }
  if (in.pos != in.size || out.size() != content_bytes) {
    return damaged("it is not as long as its header says");
  }
  return out;
}

Result<DraftTrace> decode(std::string_view bytes) {
  const auto header = parse_header(bytes);
  if (!header) {
    return fail(header.error());
  }
  if (header->content_bytes > kMaxTraceContent) {
    return too_large(header->content_bytes);
  }
  const std::string_view frame = bytes.substr(kHeaderBytes);
  if (frame.size() != header->frame_bytes) {
    return damaged("something follows its end");
  }
  const auto content = decompress(frame, static_cast<std::size_t>(header->content_bytes));
  if (!content) {
    return fail(content.error());
  }
  auto trace = decode_content(*content);
  const auto ok = trace ? check_trace(*trace) : Result<void>(fail(trace.error()));
  if (!ok) {
    return ok.error().code == ErrorCode::kCorrupt ? damaged(ok.error().message) : fail(ok.error());
  }
  return trace;
}

tl::unexpected<Error> unreadable(const std::string& path, std::error_code why) {
  ErrorCode code = ErrorCode::kIo;
  std::string_view advice = "try again or copy it elsewhere";
  if (why == std::errc::no_such_file_or_directory || why == std::errc::not_a_directory) {
    code = ErrorCode::kNotFound;
    advice = "record one with gelato trace record";
  } else if (why == std::errc::permission_denied) {
    code = ErrorCode::kPermissionDenied;
    advice = "make it readable";
  } else if (why == std::errc::is_a_directory) {
    code = ErrorCode::kInvalidArgument;
    advice = "name a file";
  }
  return fail(code,
              fmt::format("{}: the trace cannot be read: {}; {}", path, why.message(), advice));
}

}  // namespace

Result<std::string> encode_trace(const DraftTrace& trace) {
  if (auto ok = check_trace(trace); !ok) {
    return fail(ErrorCode::kInvalidArgument, "the trace cannot be written: " + ok.error().message);
  }
  const std::string content = encode_content(trace);
  if (content.size() > kMaxTraceContent || trace.prompts.size() > kMaxTracePrompts) {
    return too_large(content.size());
  }
  const auto frame = compress(content);
  if (!frame) {
    return fail(frame.error());
  }
  return to_bytes({.content_bytes = content.size(), .frame_bytes = frame->size()}) + *frame;
}

Result<DraftTrace> decode_trace(std::string_view bytes, std::string_view name) {
  auto trace = decode(bytes);
  if (!trace) {
    return fail(trace.error().code, fmt::format("{}: {}", name, trace.error().message));
  }
  return trace;
}

Result<DraftTrace> read_trace(const std::filesystem::path& path) {
  std::error_code why;
  if (std::filesystem::is_directory(path, why)) {
    return unreadable(path.string(), std::make_error_code(std::errc::is_a_directory));
  }
  const std::uint64_t size = std::filesystem::file_size(path, why);
  if (why) {
    return unreadable(path.string(), why);
  }
  if (size > kMaxTraceContent) {
    return fail(ErrorCode::kLimitExceeded,
                fmt::format("{}: the trace has {} bytes, but at most {} are allowed", path.string(),
                            size, kMaxTraceContent));
  }
  std::ifstream file(path, std::ios::binary);
  std::string bytes(static_cast<std::size_t>(size), '\0');
  if (!file.is_open() || !file.read(bytes.data(), static_cast<std::streamsize>(size))) {
    return unreadable(path.string(), {errno, std::generic_category()});
  }
  return decode_trace(bytes, path.string());
}

}  // namespace gelato::sim
