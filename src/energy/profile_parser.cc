// parse_profile(): TOML to DeviceProfile. The tables below are the file format.
#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <optional>
#include <utility>

#include "gelato/energy/device_profile.h"

namespace gelato::energy {
namespace {

constexpr std::int64_t kSchema = 1;
constexpr std::size_t kMaxLine = 200;     // characters of a name, description or model
constexpr std::size_t kMaxSource = 2000;  // characters of a source
constexpr std::size_t kMaxQuoted = 60;    // characters of the input that a message repeats

// Limits that no real device is near; they catch a wrong unit (milliseconds, milliwatts, dBW).
struct NumberField {
  std::string_view section;
  std::string_view key;
  double min;
  double max;
  bool above_min;  // min itself is excluded
  void (*set)(DeviceProfile&, double);
};

constexpr std::array<NumberField, 8> kNumbers = {{
    {"draft", "token_s", 0.0, 60.0, true,
     [](DeviceProfile& p, double v) { p.draft_token = Seconds(v); }},
    {"draft", "token_per_context_s", 0.0, 0.01, false,
     [](DeviceProfile& p, double v) { p.draft_token_per_context = Seconds(v); }},
    {"draft", "power_w", 0.0, 2000.0, true,
     [](DeviceProfile& p, double v) { p.draft_power = Watts(v); }},
    {"radio", "radiated_dbm", -30.0, 40.0, false,
     [](DeviceProfile& p, double v) { p.radiated = watts_from_dbm(Decibels(v)); }},
    {"radio", "amplifier_efficiency", 0.0, 1.0, true,
     [](DeviceProfile& p, double v) { p.amplifier_efficiency = v; }},
    {"radio", "tx_circuit_w", 0.0, 100.0, false,
     [](DeviceProfile& p, double v) { p.tx_circuit = Watts(v); }},
    {"radio", "rx_circuit_w", 0.0, 100.0, false,
     [](DeviceProfile& p, double v) { p.rx_circuit = Watts(v); }},
    {"device", "idle_w", 0.0, 2000.0, false, [](DeviceProfile& p, double v) { p.idle = Watts(v); }},
}};

// The first characters of `text` on one line, whatever it holds.
std::string printable(std::string_view text, std::size_t limit = kMaxQuoted) {
  std::string shown(text.substr(0, limit));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c < 0x20 || c > 0x7E; }, '?');
  return text.size() > limit ? shown + "..." : shown;
}

class Parser {
 public:
  explicit Parser(std::string_view file) : file_(file) {}

  Result<DeviceProfile> parse(const toml::table& root) {
    if (auto ok = check_keys(root, "the profile",
                             {"schema", "name", "description", "draft", "radio", "device"});
        !ok) {
      return fail(ok.error());
    }
    if (auto ok = check_schema(root); !ok) {
      return fail(ok.error());
    }
    DeviceProfile profile;
    if (auto ok = read_texts(root, profile); !ok) {
      return fail(ok.error());
    }
    if (auto ok = read_numbers(root, profile); !ok) {
      return fail(ok.error());
    }
    if (profile.idle > profile.draft_power) {
      return error(root["device"].node(),
                   "device.idle_w is above draft.power_w, but both are of the whole device");
    }
    return profile;
  }

  [[nodiscard]] tl::unexpected<Error> error_at(std::uint32_t line, std::string_view what,
                                               ErrorCode code = ErrorCode::kCorrupt) const {
    return fail(code, fmt::format("{}:{}: {}", file_, std::max(line, 1U), what));
  }

 private:
  [[nodiscard]] tl::unexpected<Error> error(const toml::node* node, std::string_view what,
                                            ErrorCode code = ErrorCode::kCorrupt) const {
    return error_at(node == nullptr ? 1 : node->source().begin.line, what, code);
  }

  Result<> check_keys(const toml::table& table, std::string_view where,
                      std::initializer_list<std::string_view> known) const {
    for (const auto& [key, node] : table) {
      if (std::find(known.begin(), known.end(), key.str()) == known.end()) {
        return error_at(key.source().begin.line,
                        fmt::format("unknown key '{}' in {}; known are {}", printable(key.str()),
                                    where, fmt::join(known, ", ")));
      }
    }
    for (const auto key : known) {
      if (!table.contains(key)) {
        return error(&table, fmt::format("{} lacks '{}'", where, key));
      }
    }
    return {};
  }

  Result<> check_schema(const toml::table& root) const {
    const auto* const node = root.get("schema");
    const auto* const value = node->as_integer();
    if (value == nullptr || value->get() < 1) {
      return error(node, "schema must be the integer 1");
    }
    if (value->get() != kSchema) {
      return error(node,
                   fmt::format("schema {} is newer than this program, which reads {}", value->get(),
                               kSchema),
                   ErrorCode::kUnsupported);
    }
    return {};
  }

  Result<std::string> text(const toml::table& table, std::string_view key,
                           std::size_t limit) const {
    const auto* const node = table.get(key);
    const auto* const value = node->as_string();
    if (value == nullptr || value->get().empty()) {
      return error(node, fmt::format("'{}' must be a text", key));
    }
    if (value->get().size() > limit) {
      return error(node, fmt::format("'{}' has more than {} characters", key, limit));
    }
    return value->get();
  }

  Result<const toml::table*> section(const toml::table& parent, std::string_view key) const {
    const auto* const node = parent.get(key);
    const auto* const table = node->as_table();
    if (table == nullptr) {
      return error(node, fmt::format("'{}' must be a table", key));
    }
    return table;
  }

  Result<> read_texts(const toml::table& root, DeviceProfile& profile) {
    const auto draft = section(root, "draft");
    if (!draft) {
      return fail(draft.error());
    }
    if (auto ok =
            check_keys(**draft, "[draft]", {"model", "token_s", "token_per_context_s", "power_w"});
        !ok) {
      return fail(ok.error());
    }
    auto name = text(root, "name", kMaxProfileName);
    auto description = text(root, "description", kMaxLine);
    auto model = text(**draft, "model", kMaxLine);
    for (const auto* value : {&name, &description, &model}) {
      if (!*value) {
        return fail(value->error());
      }
    }
    if (name->find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != std::string::npos) {
      return error(root.get("name"), "'name' may have only a-z, 0-9 and '-'");
    }
    profile.name = std::move(*name);
    profile.description = std::move(*description);
    profile.draft_model = std::move(*model);
    return {};
  }

  Result<> read_numbers(const toml::table& root, DeviceProfile& profile) {
    const auto radio = section(root, "radio");
    if (!radio) {
      return fail(radio.error());
    }
    const auto device = section(root, "device");
    if (!device) {
      return fail(device.error());
    }
    if (auto ok =
            check_keys(**radio, "[radio]",
                       {"radiated_dbm", "amplifier_efficiency", "tx_circuit_w", "rx_circuit_w"});
        !ok) {
      return fail(ok.error());
    }
    if (auto ok = check_keys(**device, "[device]", {"idle_w"}); !ok) {
      return fail(ok.error());
    }
    for (const auto& field : kNumbers) {
      auto citation = read_number(*root.get_as<toml::table>(field.section), field);
      if (!citation) {
        return fail(citation.error());
      }
      field.set(profile, citation->value);
      profile.citations.push_back(std::move(*citation));
    }
    return {};
  }

  // [section.key] with value, source and, if so, estimate = true.
  Result<Citation> read_number(const toml::table& parent, const NumberField& field) const {
    const auto name = fmt::format("{}.{}", field.section, field.key);
    const auto table = section(parent, field.key);
    if (!table) {
      return fail(table.error());
    }
    const bool marked = (*table)->contains("estimate");
    if (auto ok = marked ? check_keys(**table, name, {"value", "source", "estimate"})
                         : check_keys(**table, name, {"value", "source"});
        !ok) {
      return fail(ok.error());
    }
    const auto* const node = (*table)->get("value");
    const auto value = node->is_number() ? node->value<double>() : std::nullopt;
    const bool above = value && (field.above_min ? *value > field.min : *value >= field.min);
    if (!above || !(*value <= field.max)) {
      return error(node, fmt::format("{} must be a number {} {} and at most {}", name,
                                     field.above_min ? "above" : "from", field.min, field.max));
    }
    auto source = text(**table, "source", kMaxSource);
    if (!source) {
      return fail(source.error());
    }
    const auto* const estimate = (*table)->get("estimate");
    if (estimate != nullptr && !estimate->is_boolean()) {
      return error(estimate, fmt::format("{}: 'estimate' must be true or false", name));
    }
    return Citation{name, *value, std::move(*source),
                    estimate != nullptr && estimate->as_boolean()->get()};
  }

  std::string_view file_;
};

}  // namespace

Result<DeviceProfile> parse_profile(std::string_view text, std::string_view file) {
  if (text.size() > kMaxProfileBytes) {
    return fail(ErrorCode::kLimitExceeded,
                fmt::format("{} has more than {} bytes, which is no device profile", file,
                            kMaxProfileBytes));
  }
  Parser parser(file);
  try {
    return parser.parse(toml::parse(text));
  } catch (const toml::parse_error& e) {
    return parser.error_at(e.source().begin.line, printable(e.description(), kMaxLine));
  } catch (const std::exception& e) {
    return fail(ErrorCode::kInternal,
                fmt::format("{} cannot be parsed: {}", file, printable(e.what(), kMaxLine)));
  }
}

}  // namespace gelato::energy
