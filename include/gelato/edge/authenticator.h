// Who calls: bearer tokens from a file.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gelato/base/log.h"
#include "gelato/base/result.h"
#include "gelato/proto/error.h"

namespace gelato::edge {

// Limits on a token file.
inline constexpr std::size_t kMaxTokenFileBytes = std::size_t{1} << 20U;
inline constexpr std::size_t kMinTokenBytes = 16;
inline constexpr std::size_t kMaxTokenBytes = 512;
inline constexpr std::size_t kMaxNameBytes = 64;

// One client of a token file. The token itself is not kept.
struct Client {
  std::string name;
  std::array<std::uint8_t, 32> token_sha256{};
  std::optional<std::int64_t> expires;  // seconds since 1970, UTC
};

// The text of a token file: one client per line, NAME TOKEN [EXPIRES]; empty lines and lines that
// begin with # are ignored. NAME: letters, digits, '.', '_', '-'. TOKEN: 16 to 512 printable ASCII
// characters without spaces. EXPIRES: 2027-01-31 or 2027-01-31T12:00:00Z, UTC.
// Errors: kCorrupt with the number of the first line that is none of these, or names a client or
// token twice; kLimitExceeded.
Result<std::vector<Client>> parse_token_file(std::string_view text);

// Safe from several threads.
class Authenticator {
 public:
  // Seconds since 1970.
  using WallClock = std::function<std::int64_t()>;

  // Reads the file at `path`, and again whenever it has changed; a file that has become unreadable
  // or wrong is reported to `log` and the clients it had stay. `log` must outlive this.
  // Errors: kNotFound, kPermissionDenied, kIo; those of parse_token_file().
  static Result<std::unique_ptr<Authenticator>> create(std::string path, WallClock now, Log& log);

  // The name of the client whose token is in `authorization` ("Bearer TOKEN"). Takes the same time
  // whichever token it is, or none.
  // Errors: kUnauthenticated.
  proto::WireResult<std::string> client(std::string_view authorization);

 private:
  struct Version {
    std::int64_t modified = 0;  // nanoseconds
    std::uint64_t bytes = 0;
    std::uint64_t inode = 0;
    friend bool operator==(const Version&, const Version&) = default;
  };
  Authenticator(std::string path, WallClock now, Log& log);
  Result<void> load();
  void reload_if_changed();
  [[nodiscard]] std::optional<Version> version() const;

  std::string path_;
  WallClock now_;
  Log* log_;
  std::mutex mutex_;
  std::optional<Version> loaded_;
  std::vector<Client> clients_;
};

}  // namespace gelato::edge
