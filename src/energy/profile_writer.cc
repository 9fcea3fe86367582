// to_toml(): the inverse of parse_profile().
#include <fmt/format.h>

#include <string>

#include "gelato/energy/device_profile.h"

namespace gelato::energy {
namespace {

// A basic string of TOML: quotes, backslashes and control characters escaped.
std::string toml_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

}  // namespace

std::string to_toml(const DeviceProfile& profile) {
  std::string out = fmt::format("schema = 1\nname = {}\ndescription = {}\n",
                                toml_text(profile.name), toml_text(profile.description));
  std::string section;
  for (const Citation& number : profile.citations) {
    if (const std::string of = number.key.substr(0, number.key.find('.')); of != section) {
      section = of;
      out += fmt::format("\n[{}]\n", section);
      out += section == "draft" ? fmt::format("model = {}\n", toml_text(profile.draft_model)) : "";
    }
    out += fmt::format("\n[{}]\nvalue = {}\n{}source = {}\n", number.key, number.value,
                       number.estimate ? "estimate = true\n" : "", toml_text(number.source));
  }
  return out;
}

}  // namespace gelato::energy
