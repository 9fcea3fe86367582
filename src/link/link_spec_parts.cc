#include "link_spec_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "gelato/link/link_spec.h"

namespace gelato::link {
namespace {

constexpr std::string_view kOutage = "outage";
constexpr std::size_t kMaxQuoted = 80;

// Ranges are what the models are meant for, not what the arithmetic could bear.
constexpr auto kKeys = std::to_array<Key>({
    {"rate", LinkKind::kConstant, &kRateText, kMinRate.value(), kMaxRate.value()},
    {"up", LinkKind::kConstant, &kRateText, kMinRate.value(), kMaxRate.value()},
    {"trace", LinkKind::kTrace, nullptr},
    {"repeat", LinkKind::kTrace, &kTimeText, 1e-3, 1e6},
    {"fading", LinkKind::kRadio, nullptr},
    {"bandwidth", LinkKind::kRadio, &kFrequencyText, 1e3, 2e9},
    {"power", LinkKind::kRadio, &kPowerText, -40.0, 60.0},
    {"distance", LinkKind::kRadio, &kLengthText, 0.0, 5e3},
    {"carrier", LinkKind::kRadio, &kFrequencyText, 0.5e9, 100e9},
    {"pathloss", LinkKind::kRadio, nullptr},
    {"noise", LinkKind::kRadio, &kNoiseText, -200.0, -100.0},
    {"margin", LinkKind::kRadio, &kRatioText, 0.0, 100.0},
    {"coherence", LinkKind::kRadio, &kTimeText, 1e-3, 3600.0},
    {"down", LinkKind::kAny, &kRateText, kMinRate.value(), kMaxRate.value()},
    {"delay", LinkKind::kAny, &kTimeText, 0.0, kMaxDelay.value()},
    {"jitter", LinkKind::kAny, &kTimeText, 0.0, kMaxDelay.value()},
    {"loss", LinkKind::kAny, &kPercentText, 0.0, kMaxLoss},
    {"rto", LinkKind::kAny, &kTimeText, 1e-3, kMaxDelay.value()},
    {kOutage, LinkKind::kAny, &kTimeText, 0.0, 86400.0},  // both its times
});

struct Preset {
  std::string_view name;
  std::string_view spec;  // rates as up and down, so that either can be replaced
  std::string_view why;
};

constexpr auto kPresets = std::to_array<Preset>({
    {"wifi", "up=50mbit,down=50mbit,delay=2ms,jitter=3ms",
     "an access point in the same room, shared with others: the MAC repairs losses, contention "
     "shows as jitter"},
    {"lte", "up=10mbit,down=30mbit,delay=25ms,jitter=10ms",
     "a 4G phone in a loaded cell: scheduling requests make the uplink late and narrow"},
    {"nr", "up=50mbit,down=200mbit,delay=8ms,jitter=3ms",
     "a 5G phone at mid band: the same radio with shorter slots and more spectrum"},
    {"lossy", "up=1mbit,down=1mbit,delay=40ms,jitter=20ms,loss=2%",
     "a robot at the edge of coverage: narrow, late, and one packet in fifty lost"},
    {"paper",
     "fading=rayleigh,bandwidth=5mhz,power=23dbm,noise=-174dbm/hz,distance=100m,carrier=3.5ghz,"
     "pathloss=umi-nlos,coherence=40ms",
     "GELATO's simulated uplink (arXiv 2605.10124); distance, carrier and path loss are ours, the "
     "paper gives none"},
});

// The names of a table's rows, with commas.
template <class Table>
std::string names(const Table& table) {
  std::string all;
  for (const auto& row : table) {
    all += (all.empty() ? "" : ", ") + std::string(row.name);
  }
  return all;
}

// Takes the text up to the next comma off the front of `text`.
std::string_view take_part(std::string_view& text) {
  const std::size_t comma = std::min(text.find(','), text.size());
  const std::string_view part = text.substr(0, comma);
  text.remove_prefix(std::min(comma + 1, text.size()));
  return part;
}

}  // namespace

const Key* find_key(std::string_view name) {
  const auto* key =
      std::find_if(kKeys.begin(), kKeys.end(), [name](const Key& k) { return k.name == name; });
  return key == kKeys.end() ? nullptr : key;
}

std::string presentable(std::string_view text) {
  std::string shown(text.substr(0, kMaxQuoted));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return shown + (text.size() > kMaxQuoted ? "..." : "");
}

tl::unexpected<Error> bad_part(std::string_view text, std::string_view why) {
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("link part \"{}\": {}", presentable(text), why));
}

tl::unexpected<Error> clashing_parts(std::string_view text, std::string_view other) {
  return bad_part(text, fmt::format("does not go with {}", presentable(other)));
}

const Part* Parts::find(std::string_view name) const {
  const auto part = std::find_if(parts_.begin(), parts_.end(),
                                 [name](const Part& p) { return p.key->name == name; });
  return part == parts_.end() ? nullptr : &*part;
}

Result<> Parts::add(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) {
    return bad_part(text,
                    fmt::format("write KEY=VALUE, or begin with a preset ({})", names(kPresets)));
  }
  const std::string_view name = text.substr(0, equals);
  const Key* key = find_key(name);
  if (key == nullptr) {
    return bad_part(text, fmt::format("there is no such key; the keys are {}", names(kKeys)));
  }
  if (name != kOutage && find(name) != nullptr) {
    return bad_part(text, fmt::format("{} is given twice", name));
  }
  parts_.push_back({key, text, text.substr(equals + 1)});
  return {};
}

void Parts::lay_over(const Parts& base) {
  const bool both_rates = find("rate") != nullptr;
  for (const Part& part : base.parts_) {
    const bool is_rate = part.key->name == "up" || part.key->name == "down";
    if (find(part.key->name) == nullptr && !(both_rates && is_rate)) {
      parts_.push_back(part);
    }
  }
}

Result<Parts> Parts::split(std::string_view text) {
  if (text.size() > kMaxLinkSpecBytes) {
    return fail(ErrorCode::kLimitExceeded,
                fmt::format("the link specification has {} bytes, but at most {} are allowed",
                            text.size(), kMaxLinkSpecBytes));
  }
  const std::string_view first = text.substr(0, text.find(','));
  const auto* preset = std::find_if(kPresets.begin(), kPresets.end(),
                                    [first](const Preset& p) { return p.name == first; });
  Parts parts;
  if (preset != kPresets.end()) {
    if (text.size() == first.size()) {
      return split(preset->spec);
    }
    text.remove_prefix(first.size() + 1);
  }
  // A comma at the end leaves an empty part, which is refused like any other without "=".
  for (bool more = true; more;) {
    more = text.find(',') != std::string_view::npos;
    if (const auto added = parts.add(take_part(text)); !added) {
      return fail(added.error());
    }
  }
  if (preset != kPresets.end()) {
    const auto base = split(preset->spec);
    parts.lay_over(base.value());
  }
  return parts;
}

std::string link_preset_help() {
  std::string help;
  for (const Preset& preset : kPresets) {
    help += fmt::format("{:<6} {}\n       {}\n", preset.name, preset.spec, preset.why);
  }
  return help;
}

}  // namespace gelato::link
