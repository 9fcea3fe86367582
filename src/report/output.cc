#include "gelato/report/output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

namespace gelato::report {
namespace {

namespace fs = std::filesystem;

ErrorCode code_of(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return ErrorCode::kNotFound;
    case EACCES:
    case EPERM:
    case EROFS:
      return ErrorCode::kPermissionDenied;
    case EISDIR:
      return ErrorCode::kInvalidArgument;
    default:
      return ErrorCode::kIo;
  }
}

std::string_view advice(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return "create its folder first";
    case EACCES:
    case EPERM:
    case EROFS:
      return "choose a place where you may write";
    case EISDIR:
      return "name a file";
    case ENOSPC:
    case EDQUOT:
      return "free some space or choose another place";
    case EPIPE:
    case EBADF:
      return "whoever reads it must stay until the end";
    default:
      return "choose another place";
  }
}

tl::unexpected<Error> refused(const std::string& what, int error) {
  return fail(code_of(error), fmt::format("The result cannot be written to {}: {}; {}.", what,
                                          std::generic_category().message(error), advice(error)));
}

tl::unexpected<Error> no_name() {
  return fail(ErrorCode::kInvalidArgument,
              "The result has no file name; name a file, or - for standard output.");
}

// 0, or the errno of the failure.
int write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(file, text.data(), text.size());
    if (written < 0) {
      if (errno == EINTR) {
        continue;
      }
      return errno;
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

// write_all, then close: some file systems report a full disk only then.
int write_and_close(int file, std::string_view text) {
  const int error = write_all(file, text);
  const int closed = close(file) == 0 ? 0 : errno;
  return error != 0 ? error : closed;
}

int write_in_place(const fs::path& path, std::string_view text) {
  const int file = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  return file < 0 ? errno : write_and_close(file, text);
}

// A new file beside `path`, under the first free name of a hundred (a killed run may have left
// one). Returns its descriptor, or -1 with errno set.
int create_beside(const fs::path& path, fs::path& created) {
  int file = -1;
  for (int i = 0; i < 100 && file < 0; ++i) {
    created = fs::path(path).concat(fmt::format(".{}.tmp", i));
    file = open(created.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file < 0 && errno != EEXIST) {
      break;
    }
  }
  return file;
}

// Puts `text` in the place of `path`; `old` describes the file that is there, null for none.
int replace(const fs::path& path, const struct stat* old, std::string_view text) {
  if (old != nullptr && access(path.c_str(), W_OK) != 0) {
    return errno;  // renaming would replace even a file that is marked read-only
  }
  fs::path temporary;
  const int file = create_beside(path, temporary);
  if (file < 0) {
    return errno;
  }
  int error = 0;
  if (old != nullptr && fchmod(file, old->st_mode & 07777U) != 0) {
    error = errno;
  }
  const int written = write_and_close(file, text);
  error = error != 0 ? error : written;
  if (error == 0 && rename(temporary.c_str(), path.c_str()) != 0) {
    error = errno;
  }
  if (error != 0) {
    unlink(temporary.c_str());
  }
  return error;
}

// The file that `path` leads to, through links; `path` itself when there is none yet.
fs::path resolved(const std::string& path) {
  std::error_code ignored;
  fs::path target = fs::canonical(path, ignored);
  return ignored ? fs::path(path) : target;
}

}  // namespace

Result<void> write_output(const std::string& path, std::string_view text, int standard_output) {
  if (path == "-") {
    const int error = write_all(standard_output, text);
    return error == 0 ? Result<void>{} : refused("standard output", error);
  }
  if (path.empty()) {
    return no_name();
  }
  const fs::path target = resolved(path);
  struct stat status {};
  const bool exists = stat(target.c_str(), &status) == 0;
  int error = 0;
  if (exists && !S_ISREG(status.st_mode)) {
    error = write_in_place(target, text);
  } else {
    error = replace(target, exists ? &status : nullptr, text);
  }
  return error == 0 ? Result<void>{} : refused(path, error);
}

Result<void> check_output(const std::string& path) {
  if (path == "-") {
    return {};
  }
  if (path.empty()) {
    return no_name();
  }
  const fs::path target = resolved(path);
  struct stat status {};
  const bool exists = stat(target.c_str(), &status) == 0;
  int error = 0;
  if (exists && S_ISDIR(status.st_mode)) {
    error = EISDIR;
  } else if (exists && access(target.c_str(), W_OK) != 0) {
    error = errno;
  } else if (!exists || S_ISREG(status.st_mode)) {  // a new file will stand there
    const fs::path folder = target.parent_path() / ".";
    error = access(folder.c_str(), W_OK | X_OK) == 0 ? 0 : errno;
  }
  return error == 0 ? Result<void>{} : refused(path, error);
}

Result<void> write_json(const std::string& path, const nlohmann::json& value, int standard_output) {
  const std::string text = value.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
  return write_output(path, text + '\n', standard_output);
}

}  // namespace gelato::report
