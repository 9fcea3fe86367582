// SHA-256, to say which file or text a result is about.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "gelato/base/result.h"

namespace gelato::report {

// SHA-256 (FIPS 180-4) as 64 lower-case hex digits, of a text or of a regular file's content. The
// file is read in pieces of 1 MiB. Errors: kNotFound, kPermissionDenied, kInvalidArgument (not a
// regular file), kIo; kInternal should libcrypto refuse.
Result<std::string> sha256(std::string_view text);
Result<std::string> sha256_file(const std::filesystem::path& path);

}  // namespace gelato::report
