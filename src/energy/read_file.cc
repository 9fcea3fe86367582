#include "read_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <string_view>
#include <system_error>

namespace gelato::energy {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

ErrorCode code_of(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ENODEV:
    case ENODATA:
    case ENXIO:
    case EAGAIN:
      return ErrorCode::kUnavailable;
    case EACCES:
    case EPERM:
      return ErrorCode::kPermissionDenied;
    default:
      return ErrorCode::kIo;
  }
}

tl::unexpected<Error> failed(const std::filesystem::path& file, int error) {
  return fail(code_of(error), fmt::format("cannot read {}: {}", file.string(),
                                          std::generic_category().message(error)));
}

}  // namespace

Result<std::string> read_file(const std::filesystem::path& file, std::size_t max_bytes) {
  const Descriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) {
    return failed(file, errno);
  }
  std::string text(max_bytes + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t n = ::read(fd.get(), text.data() + size, text.size() - size);
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n < 0) {
      return failed(file, errno);
    }
    if (n == 0) {
      text.resize(size);
      return text;
    }
    size += static_cast<std::size_t>(n);
  }
  return fail(ErrorCode::kCorrupt, fmt::format("{} has more than {} bytes, which cannot be right",
                                               file.string(), max_bytes));
}

Result<std::string> read_attribute(const std::filesystem::path& file) {
  auto text = read_file(file, kMaxAttributeBytes);
  if (text && !text->empty() && text->back() == '\n') {
    text->pop_back();
  }
  return text;
}

Result<std::int64_t> read_integer(const std::filesystem::path& file) {
  const auto text = read_attribute(file);
  if (!text) {
    return fail(text.error());
  }
  std::int64_t value = 0;
  const char* const end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data(), end, value);
  if (error != std::errc() || stop != end) {
    return fail(ErrorCode::kCorrupt, fmt::format("{} does not hold an integer", file.string()));
  }
  return value;
}

Result<std::int64_t> read_natural(const std::filesystem::path& file) {
  auto value = read_integer(file);
  if (value && *value < 0) {
    return fail(ErrorCode::kCorrupt, fmt::format("{} is negative", file.string()));
  }
  return value;
}

std::vector<std::string> list_directory(const std::filesystem::path& directory) {
  std::vector<std::string> names;
  std::error_code error;
  std::filesystem::directory_iterator entry(directory, error);
  while (!error && entry != std::filesystem::directory_iterator() &&
         names.size() < kMaxDirectoryEntries) {
    names.push_back(entry->path().filename().string());
    entry.increment(error);
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool is_present(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

}  // namespace gelato::energy
