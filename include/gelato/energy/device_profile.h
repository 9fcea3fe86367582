// What drafting, sending, receiving and waiting cost on a kind of device: the numbers behind every
// modelled joule, each with its source. The file format is described in docs/modules/energy.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "gelato/base/result.h"
#include "gelato/base/units.h"

namespace gelato::energy {

// A profile is a page of text; the limit keeps a wrong path from being read into memory.
inline constexpr std::size_t kMaxProfileBytes = 65536;
inline constexpr std::size_t kMaxProfileName = 64;

// One number of a profile and where it comes from.
struct Citation {
  std::string key;        // section.key, as in the file
  double value = 0.0;     // in the unit that ends the key
  std::string source;     // publication, data set or derivation
  bool estimate = false;  // true: derived or assumed, not measured on this device
};

// Powers are those of the whole device (battery terminals or module input), not of one component.
struct DeviceProfile {
  std::string name;         // [a-z0-9-]+, as in the energy source model:<name>
  std::string description;  // one line
  std::string draft_model;  // the model and quantisation that the draft numbers are for

  Seconds draft_token;              // one drafted token at an empty context
  Seconds draft_token_per_context;  // more of it per token of context
  Watts draft_power;                // while drafting

  Watts radiated;                     // at the antenna, while sending
  double amplifier_efficiency = 1.0;  // radiated / drawn by the amplifier, in (0, 1]
  Watts tx_circuit;                   // the rest of the radio while sending, on top of idle
  Watts rx_circuit;                   // the radio while receiving, on top of idle
  Watts idle;                         // awake, not drafting, radio silent

  std::vector<Citation> citations;  // one per number, in the order of the file format

  // Time to draft `tokens` tokens one after another from a context of `context` tokens:
  // n t0 + n (L + n/2) t1. With the paper's numbers this is T^D of GELATO (arXiv 2605.10124)
  // eq. (1).
  [[nodiscard]] Seconds draft_time(std::uint32_t context, std::uint32_t tokens) const;
  // idle + circuit + radiated / efficiency.
  [[nodiscard]] Watts tx_power() const;
  [[nodiscard]] Watts rx_power() const { return idle + rx_circuit; }
  [[nodiscard]] Watts wait_power() const { return idle; }
};

// Parses the TOML `text`; `file` only names it in messages.
// Errors: kCorrupt, `FILE:LINE: what is wrong`, for bad TOML, a missing or unknown key, a wrong
// type, a number outside its range or without a source; kLimitExceeded above kMaxProfileBytes;
// kUnsupported for a newer schema.
Result<DeviceProfile> parse_profile(std::string_view text, std::string_view file);

// The text that parse_profile() reads back as an equal profile: its texts and its citations, which
// hold every number (the other fields are not looked at).
std::string to_toml(const DeviceProfile& profile);

// Reads and parses one file.
// Errors: those of parse_profile; kUnavailable if there is no such file; kPermissionDenied; kIo.
Result<DeviceProfile> load_profile(const std::filesystem::path& file);

// `name` is a path if it has a slash or ends in .toml, else the profile DIRECTORY/name.toml.
// Errors: those of load_profile; kNotFound with the names there are; kInvalidArgument for a name
// that cannot be one; kCorrupt if the file calls its profile differently.
Result<DeviceProfile> find_profile(std::string_view name, const std::filesystem::path& directory);

}  // namespace gelato::energy
