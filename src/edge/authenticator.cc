#include "gelato/edge/authenticator.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>

namespace gelato::edge {
namespace {

std::array<std::uint8_t, 32> sha256(std::string_view text) {
  std::array<std::uint8_t, 32> hash{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), hash.data());
  return hash;
}

std::vector<std::string_view> words(std::string_view line) {
  std::vector<std::string_view> out;
  std::size_t at = 0;
  while ((at = line.find_first_not_of(" \t\r", at)) != std::string_view::npos) {
    const std::size_t end = std::min(line.find_first_of(" \t\r", at), line.size());
    out.push_back(line.substr(at, end - at));
    at = end;
  }
  return out;
}

bool is_name(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  return !text.empty() && text.size() <= kMaxNameBytes &&
         std::all_of(text.begin(), text.end(), allowed);
}

bool is_token(std::string_view text) {
  return text.size() >= kMinTokenBytes && text.size() <= kMaxTokenBytes &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

// The digits of text[at, at + n), or -1.
int digits(std::string_view text, std::size_t at, std::size_t n) {
  int value = 0;
  const char* begin = text.data() + at;
  const auto [end, error] = std::from_chars(begin, begin + n, value);
  return error == std::errc() && end == begin + n && *begin != '-' ? value : -1;
}

// Days since 1970-01-01 in the Gregorian calendar (H. Hinnant, "chrono-compatible low-level date
// algorithms", days_from_civil).
std::int64_t days_since_1970(int year, int month, int day) {
  year -= month <= 2 ? 1 : 0;
  const int era = year / 400;
  const int year_of_era = year - era * 400;
  const int day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return std::int64_t{era} * 146097 + day_of_era - 719468;
}

std::optional<std::int64_t> parse_time(std::string_view text) {
  constexpr std::string_view kDate = "0000-00-00";
  constexpr std::string_view kTime = "0000-00-00T00:00:00Z";
  const bool with_time = text.size() == kTime.size();
  const std::string_view form = with_time ? kTime : kDate;
  if (text.size() != form.size()) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < form.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (form[i] == '0' ? !digit : text[i] != form[i]) {
      return std::nullopt;
    }
  }
  const int month = digits(text, 5, 2);
  const int day = digits(text, 8, 2);
  const int hour = with_time ? digits(text, 11, 2) : 0;
  const int minute = with_time ? digits(text, 14, 2) : 0;
  const int second = with_time ? digits(text, 17, 2) : 0;
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) {
    return std::nullopt;
  }
  return (days_since_1970(digits(text, 0, 4), month, day) * 24 + hour) * 3600 + minute * 60 +
         second;
}

Result<Client> parse_client(std::string_view line) {
  const auto fields = words(line);
  if (fields.size() < 2 || fields.size() > 3 || !is_name(fields[0])) {
    return fail(ErrorCode::kCorrupt, "is not NAME TOKEN [EXPIRES]");
  }
  if (!is_token(fields[1])) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("has a token that is not {} to {} printable characters", kMinTokenBytes,
                            kMaxTokenBytes));
  }
  Client client{.name = std::string(fields[0]), .token_sha256 = sha256(fields[1]), .expires = {}};
  if (fields.size() == 3) {
    client.expires = parse_time(fields[2]);
    if (!client.expires) {
      return fail(ErrorCode::kCorrupt,
                  "has an expiry that is not like 2027-01-31 or 2027-01-31T12:00:00Z");
    }
  }
  return client;
}

}  // namespace

Result<std::vector<Client>> parse_token_file(std::string_view text) {
  if (text.size() > kMaxTokenFileBytes) {
    return fail(ErrorCode::kLimitExceeded,
                fmt::format("is larger than {} bytes", kMaxTokenFileBytes));
  }
  std::vector<Client> clients;
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    const std::size_t begin = line.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos || line[begin] == '#') {
      continue;
    }
    auto client = parse_client(line);
    if (!client) {
      return fail(client.error().code, fmt::format("line {} {}", number, client.error().message));
    }
    const bool known = std::any_of(clients.begin(), clients.end(), [&](const Client& other) {
      return other.name == client->name || other.token_sha256 == client->token_sha256;
    });
    if (known) {
      return fail(ErrorCode::kCorrupt,
                  fmt::format("line {} repeats the name or the token of a line before", number));
    }
    clients.push_back(std::move(*client));
  }
  return clients;
}

Authenticator::Authenticator(std::string path, WallClock now, Log& log)
    : path_(std::move(path)), now_(std::move(now)), log_(&log) {}

Result<std::unique_ptr<Authenticator>> Authenticator::create(std::string path, WallClock now,
                                                             Log& log) {
  std::unique_ptr<Authenticator> out(new Authenticator(std::move(path), std::move(now), log));
  if (auto ok = out->load(); !ok) {
    return fail(ok.error());
  }
  return out;
}

std::optional<Authenticator::Version> Authenticator::version() const {
  struct stat info {};
  if (::stat(path_.c_str(), &info) != 0) {
    return std::nullopt;
  }
  return Version{
      .modified = std::int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec,
      .bytes = static_cast<std::uint64_t>(info.st_size),
      .inode = info.st_ino};
}

Result<void> Authenticator::load() {
  loaded_ = version();  // before reading: a change in between is seen next time
  errno = 0;
  std::ifstream file(path_, std::ios::binary);
  if (!file) {
    const ErrorCode code = errno == ENOENT   ? ErrorCode::kNotFound
                           : errno == EACCES ? ErrorCode::kPermissionDenied
                                             : ErrorCode::kIo;
    return fail(code,
                fmt::format("cannot read the token file {}: {}", path_, std::strerror(errno)));
  }
  std::string text(kMaxTokenFileBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (file.bad()) {
    return fail(ErrorCode::kIo, fmt::format("cannot read the token file {}", path_));
  }
  auto clients = parse_token_file(text);
  OPENSSL_cleanse(text.data(), text.size());
  if (!clients) {
    return fail(clients.error().code,
                fmt::format("the token file {}: {}", path_, clients.error().message));
  }
  clients_ = std::move(*clients);
  return {};
}

void Authenticator::reload_if_changed() {
  const auto now = version();
  if (now == loaded_) {
    return;
  }
  if (auto ok = load(); !ok) {
    log_->error(fmt::format("event=tokens error=\"{}\" clients_kept={}", ok.error().message,
                            clients_.size()));
  } else {
    log_->info(fmt::format("event=tokens clients={}", clients_.size()));
  }
}

proto::WireResult<std::string> Authenticator::client(std::string_view authorization) {
  constexpr std::string_view kScheme = "Bearer ";
  if (!authorization.starts_with(kScheme)) {
    return proto::refuse(proto::ErrorKind::kUnauthenticated,
                         "this edge asks for a token; give the device one with --token-file");
  }
  const auto hash = sha256(authorization.substr(kScheme.size()));
  const std::lock_guard lock(mutex_);
  reload_if_changed();
  // Hashes are compared, all of them and whole, so the time tells nothing about any token.
  const Client* found = nullptr;
  for (const Client& client : clients_) {
    if (CRYPTO_memcmp(client.token_sha256.data(), hash.data(), hash.size()) == 0) {
      found = &client;
    }
  }
  if (found == nullptr) {
    return proto::refuse(proto::ErrorKind::kUnauthenticated, "this edge does not know the token");
  }
  if (found->expires && now_() >= *found->expires) {
    return proto::refuse(
        proto::ErrorKind::kUnauthenticated,
        fmt::format("the token of {} has expired; ask for a new one", found->name));
  }
  return found->name;
}

}  // namespace gelato::edge
