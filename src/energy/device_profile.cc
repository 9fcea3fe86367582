#include "gelato/energy/device_profile.h"

#include <fmt/format.h>

#include <utility>

#include "read_file.h"

namespace gelato::energy {
namespace {

constexpr std::string_view kSuffix = ".toml";

bool is_path(std::string_view name) {
  return name.find('/') != std::string_view::npos || name.ends_with(kSuffix);
}

bool is_plain(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; }

bool is_profile_name(std::string_view name) {
  bool plain = !name.empty() && name.size() <= kMaxProfileName;
  for (const char c : name) {
    plain = plain && is_plain(c);
  }
  return plain;
}

std::string names_in(const std::filesystem::path& directory) {
  std::string names;
  for (const auto& file : list_directory(directory)) {
    if (file.ends_with(kSuffix)) {
      names += (names.empty() ? "" : ", ") + file.substr(0, file.size() - kSuffix.size());
    }
  }
  return names.empty() ? "none" : names;
}

}  // namespace

Seconds DeviceProfile::draft_time(std::uint32_t context, std::uint32_t tokens) const {
  const double n = tokens;
  return n * draft_token + n * (context + n / 2.0) * draft_token_per_context;
}

Watts DeviceProfile::tx_power() const {
  return idle + tx_circuit + radiated / amplifier_efficiency;
}

Result<DeviceProfile> load_profile(const std::filesystem::path& file) {
  auto text = read_file(file, kMaxProfileBytes);
  if (!text) {
    return fail(std::move(text.error()));
  }
  return parse_profile(*text, file.string());
}

Result<DeviceProfile> find_profile(std::string_view name, const std::filesystem::path& directory) {
  if (is_path(name)) {
    return load_profile(std::filesystem::path(name));
  }
  if (!is_profile_name(name)) {
    return fail(ErrorCode::kInvalidArgument,
                "a device profile's name has only a-z, 0-9 and '-'; a path has a '/' or ends in "
                ".toml");
  }
  const auto file = directory / (std::string(name) + std::string(kSuffix));
  if (!is_present(file)) {
    return fail(ErrorCode::kNotFound,
                fmt::format("there is no device profile '{}' in {}; there: {}", name,
                            directory.string(), names_in(directory)));
  }
  auto profile = load_profile(file);
  if (profile && profile->name != name) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("{} calls its profile '{}'; file and name must agree", file.string(),
                            profile->name));
  }
  return profile;
}

}  // namespace gelato::energy
