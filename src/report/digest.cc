#include "gelato/report/digest.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <memory>
#include <system_error>
#include <vector>

namespace gelato::report {
namespace {

struct FreeDigest {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

// One SHA-256 in the making. Every step says whether libcrypto did it.
class Sha256 {
 public:
  bool begin() {
    return context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1;
  }
  bool add(std::string_view bytes) {
    return EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1;
  }
  Result<std::string> finish() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned length = 0;
    if (EVP_DigestFinal_ex(context_.get(), digest.data(), &length) != 1) {
      return refused();
    }
    std::string hex;
    for (unsigned i = 0; i < length; ++i) {
      hex += fmt::format("{:02x}", digest.at(i));
    }
    return hex;
  }
  static tl::unexpected<Error> refused() {
    return fail(ErrorCode::kInternal, "libcrypto refused to compute a SHA-256.");
  }

 private:
  std::unique_ptr<EVP_MD_CTX, FreeDigest> context_{EVP_MD_CTX_new()};
};

tl::unexpected<Error> unreadable(const std::filesystem::path& path, std::error_code why) {
  ErrorCode code = ErrorCode::kIo;
  if (why == std::errc::no_such_file_or_directory) {
    code = ErrorCode::kNotFound;
  } else if (why == std::errc::permission_denied) {
    code = ErrorCode::kPermissionDenied;
  }
  return fail(code, fmt::format("{} cannot be read: {}.", path.string(), why.message()));
}

}  // namespace

Result<std::string> sha256(std::string_view text) {
  Sha256 digest;
  if (!digest.begin() || !digest.add(text)) {
    return Sha256::refused();
  }
  return digest.finish();
}

Result<std::string> sha256_file(const std::filesystem::path& path) {
  std::error_code why;
  const auto status = std::filesystem::status(path, why);
  if (why) {
    return unreadable(path, why);
  }
  if (!std::filesystem::is_regular_file(status)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} is not a regular file; name a file.", path.string()));
  }
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return unreadable(path, std::error_code(errno, std::generic_category()));
  }
  Sha256 digest;
  if (!digest.begin()) {
    return Sha256::refused();
  }
  std::vector<char> piece(std::size_t{1} << 20U);
  while (file) {
    file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    if (!digest.add({piece.data(), static_cast<std::size_t>(file.gcount())})) {
      return Sha256::refused();
    }
  }
  if (file.bad()) {
    return unreadable(path, std::make_error_code(std::errc::io_error));
  }
  return digest.finish();
}

}  // namespace gelato::report
