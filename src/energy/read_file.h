// Small files of untrusted content: sysfs attributes and profiles. Private to the module.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "gelato/base/result.h"

namespace gelato::energy {

// The kernel gives a sysfs attribute at most one page.
inline constexpr std::size_t kMaxAttributeBytes = 4096;
// Entries looked at in one directory; a sysfs class has a few dozen.
inline constexpr std::size_t kMaxDirectoryEntries = 4096;

// The whole file, if it has at most `max_bytes`. Never blocks on a pipe.
// Errors: kUnavailable if the file or its device is not there, kPermissionDenied, kCorrupt if it is
// larger, kIo. The message names the file.
Result<std::string> read_file(const std::filesystem::path& file, std::size_t max_bytes);

// A sysfs attribute without its trailing newline.
Result<std::string> read_attribute(const std::filesystem::path& file);

// A sysfs attribute that is one decimal integer. kCorrupt if it is anything else.
Result<std::int64_t> read_integer(const std::filesystem::path& file);

// The same, of an attribute that is never negative.
Result<std::int64_t> read_natural(const std::filesystem::path& file);

// Sorted names of the entries of a directory, at most kMaxDirectoryEntries; none if it cannot be
// listed.
std::vector<std::string> list_directory(const std::filesystem::path& directory);

// Whether something is at `path`; false also if that cannot be told.
bool is_present(const std::filesystem::path& path);

}  // namespace gelato::energy
