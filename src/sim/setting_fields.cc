#include "setting_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <fstream>
#include <iterator>
#include <optional>
#include <utility>

#include "gelato/link/link_emulator.h"
#include "gelato/sim/synthetic_trace.h"
#include "gelato/sim/trace_file.h"

namespace gelato::sim {

// What the fields of one cell say, before files are read.
struct SettingDraft {
  Setting setting;
  std::string trace;
  std::string profile = "paper";
  std::optional<Seconds> draft_token;
  std::optional<Bits> index;
  Seconds pass{0.1};  // GELATO's T^LLM
  Seconds pass_token;
  bool edge_from_trace = false;
};

namespace {

constexpr std::string_view kLink = "link";
constexpr std::string_view kLinkPrefix = "link.";
constexpr std::string_view kNone = "none";
constexpr std::string_view kChangeRound = "change.round";

struct NumberField {
  std::string_view name;
  double min;
  double max;
  bool above_min;
  bool whole;
  void (*set)(SettingDraft&, double);
};

struct TextField {
  std::string_view name;
  std::string_view accepted;  // for the message
  bool (*set)(SettingDraft&, const std::string&);
};

constexpr std::array kNumberFields{
    NumberField{
        kChangeRound, 1, 1e9, false, true,
        [](SettingDraft& d, double v) { d.setting.change_round = static_cast<std::uint64_t>(v); }},
    NumberField{
        "rounds", 1, 1e9, false, true,
        [](SettingDraft& d, double v) { d.setting.rounds = static_cast<std::uint64_t>(v); }},
    NumberField{
        "tokens", 0, 1e9, false, true,
        [](SettingDraft& d, double v) { d.setting.tokens = static_cast<std::uint64_t>(v); }},
    NumberField{
        "max_in_flight", 1, 16, false, true,
        [](SettingDraft& d, double v) { d.setting.max_in_flight = static_cast<std::uint32_t>(v); }},
    NumberField{"edge.pass_s", 0, 60, true, false,
                [](SettingDraft& d, double v) { d.pass = Seconds(v); }},
    NumberField{"edge.token_s", 0, 10, false, false,
                [](SettingDraft& d, double v) { d.pass_token = Seconds(v); }},
    NumberField{"draft.token_s", 0, 60, true, false,
                [](SettingDraft& d, double v) { d.draft_token = Seconds(v); }},
    NumberField{"wire.index_bits", 1, 64, false, true,
                [](SettingDraft& d, double v) { d.index = Bits(v); }},
    NumberField{"wire.prob_bits", 0, 64, false, true,
                [](SettingDraft& d, double v) { d.setting.wire.prob = Bits(v); }},
    NumberField{
        "wire.up_bytes", 0, 1e6, false, true,
        [](SettingDraft& d, double v) { d.setting.wire.up_bytes = static_cast<std::uint64_t>(v); }},
    NumberField{"wire.down_bytes", 0, 1e6, false, true,
                [](SettingDraft& d, double v) {
                  d.setting.wire.down_bytes = static_cast<std::uint64_t>(v);
                }},
    NumberField{"wire.up_ack_bytes", 0, 1e6, false, true,
                [](SettingDraft& d, double v) {
                  d.setting.wire.up_ack_bytes = static_cast<std::uint64_t>(v);
                }},
    NumberField{"wire.down_ack_bytes", 0, 1e6, false, true,
                [](SettingDraft& d, double v) {
                  d.setting.wire.down_ack_bytes = static_cast<std::uint64_t>(v);
                }},
    NumberField{"wire.row_bytes", 0, 1e7, false, true,
                [](SettingDraft& d, double v) {
                  d.setting.wire.row_bytes = static_cast<std::uint64_t>(v);
                }},
    NumberField{"budget.joules_per_round", 0, 1e6, true, false,
                [](SettingDraft& d, double v) { d.setting.budget.per_round = Joules(v); }},
    NumberField{"budget.joules_per_token", 0, 1e6, true, false,
                [](SettingDraft& d, double v) { d.setting.budget.per_token = Joules(v); }},
    NumberField{"budget.watts", 0, 1e6, true, false,
                [](SettingDraft& d, double v) { d.setting.budget.power = Watts(v); }},
    NumberField{
        "fleet.devices", 1, kMaxDevices, false, true,
        [](SettingDraft& d, double v) { d.setting.devices = static_cast<std::uint32_t>(v); }},
    NumberField{
        "fleet.others", 0, kMaxDevices, false, true,
        [](SettingDraft& d, double v) { d.setting.others = static_cast<std::uint32_t>(v); }},
};

constexpr std::array kTextFields{
    TextField{"trace", "the name of a trace, or iid:P, or entropy:DECAY,MEAN",
              [](SettingDraft& d, const std::string& v) {
                d.trace = v;
                return !v.empty();
              }},
    TextField{"prompts", "the name of a set of prompts",
              [](SettingDraft& d, const std::string& v) {
                d.setting.prompt_set = v;
                return true;
              }},
    TextField{"profile", "the name of a device profile",
              [](SettingDraft& d, const std::string& v) {
                d.profile = v;
                return !v.empty();
              }},
    TextField{"accounting", "\"full\" or \"paper\"",
              [](SettingDraft& d, const std::string& v) {
                d.setting.accounting = v == "paper" ? Accounting::kPaper : Accounting::kFull;
                return v == "paper" || v == "full";
              }},
    TextField{"wire.draft", "\"ids\" or \"top-p\"",
              [](SettingDraft& d, const std::string& v) {
                d.setting.wire.draft =
                    v == "ids" ? WireFormat::Draft::kIds : WireFormat::Draft::kTopP;
                return v == "ids" || v == "top-p";
              }},
    TextField{"fleet.cell", "\"own\" or \"shared\"",
              [](SettingDraft& d, const std::string& v) {
                d.setting.shared_cell = v == "shared";
                return v == "shared" || v == "own";
              }},
    TextField{"fleet.others_policy", "a policy, e.g. \"static:5\"",
              [](SettingDraft& d, const std::string& v) {
                d.setting.others_policy = v;
                return control::make_policy(v).has_value();
              }},
};

struct FlagField {
  std::string_view name;
  void (*set)(SettingDraft&, bool);
};

constexpr std::array kFlagFields{
    FlagField{"may_draft_alone", [](SettingDraft& d, bool v) { d.setting.may_draft_alone = v; }},
    FlagField{"edge.from_trace", [](SettingDraft& d, bool v) { d.edge_from_trace = v; }},
};

constexpr std::string_view kCurve = "edge.curve_s";

template <class Table>
auto find(const Table& table, std::string_view name) {
  return std::find_if(table.begin(), table.end(), [name](const auto& f) { return f.name == name; });
}

std::uint32_t line_of(const Fields& fields, std::string_view name) {
  const auto found = fields.find(name);
  return found == fields.end() ? 1 : found->second.line;
}

bool is_budget(std::string_view name) { return name.starts_with("budget."); }

template <class Number>
std::string range_text(const Number& field) {
  return fmt::format("a {} {} {} and at most {}", field.whole ? "whole number" : "number",
                     field.above_min ? "above" : "from", field.min, field.max);
}

template <class Number>
bool in_range(const Number& field, double v) {
  return (field.above_min ? v > field.min : v >= field.min) && v <= field.max &&
         (!field.whole || v == std::floor(v));
}

Result<std::string> read_text(const std::filesystem::path& path, std::size_t limit) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    return fail(ErrorCode::kNotFound, fmt::format("{} cannot be read", path.string()));
  }
  std::string text(limit + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > limit) {
    return fail(ErrorCode::kLimitExceeded,
                fmt::format("{} has more than {} bytes", path.string(), limit));
  }
  return text;
}

}  // namespace

bool is_setting_field(std::string_view name) {
  if (name.starts_with(kChangePrefix) && name != kChangeRound) {
    const std::string_view changed = name.substr(kChangePrefix.size());
    return !changed.starts_with(kChangePrefix) && is_setting_field(changed);
  }
  return name == kLink || name.starts_with(kLinkPrefix) || name == kCurve ||
         find(kNumberFields, name) != kNumberFields.end() ||
         find(kTextFields, name) != kTextFields.end() ||
         find(kFlagFields, name) != kFlagFields.end();
}

std::string known_fields(std::string_view name) {
  const std::size_t dot = name.find('.');
  const std::string_view section = dot == std::string_view::npos ? "" : name.substr(0, dot + 1);
  std::string out;
  const auto add = [&](std::string_view known) {
    const bool top = known.find('.') == std::string_view::npos;
    if (section.empty() ? top : known.starts_with(section)) {
      out += out.empty() ? "" : ", ";
      out += known;
    }
  };
  for (const auto& f : kTextFields) {
    add(f.name);
  }
  for (const auto& f : kNumberFields) {
    add(f.name);
  }
  for (const auto& f : kFlagFields) {
    add(f.name);
  }
  add(kCurve);
  return out.empty() ? "sections are edge, link, wire, budget, draft, fleet, change"
                     : "known are " + out;
}

Result<void> SettingReader::read_simple(const Fields& fields, SettingDraft& draft) const {
  for (const auto& [name, field] : fields) {
    const auto refuse = [&, line = field.line, key = name](std::string_view accepted) {
      return scenario_error(file_, line, fmt::format("{} must be {}", key, accepted));
    };
    const auto number = find(kNumberFields, name);  // change.FIELD is read in a second pass
    if (number != kNumberFields.end()) {
      const auto* none = std::get_if<std::string>(&field.value);
      if (is_budget(name) && none != nullptr && *none == kNone) {
        continue;
      }
      const auto* v = std::get_if<double>(&field.value);
      if (v == nullptr || !in_range(*number, *v)) {
        return refuse(range_text(*number) + (is_budget(name) ? ", or \"none\"" : ""));
      }
      number->set(draft, *v);
      continue;
    }
    const auto text = find(kTextFields, name);
    if (text != kTextFields.end()) {
      const auto* v = std::get_if<std::string>(&field.value);
      if (v == nullptr || !text->set(draft, *v)) {
        return refuse(text->accepted);
      }
      continue;
    }
    const auto flag = find(kFlagFields, name);
    if (flag != kFlagFields.end()) {
      const auto* v = std::get_if<bool>(&field.value);
      if (v == nullptr) {
        return refuse("true or false");
      }
      flag->set(draft, *v);
    }
  }
  return {};
}

Result<void> SettingReader::read_edge(const Fields& fields, SettingDraft& draft) const {
  EdgeCurve& edge = draft.setting.edge;
  const auto curve = fields.find(kCurve);
  const bool simple = fields.contains("edge.pass_s") || fields.contains("edge.token_s");
  if ((curve != fields.end() ? 1 : 0) + (simple ? 1 : 0) + (draft.edge_from_trace ? 1 : 0) > 1) {
    return scenario_error(file_, curve != fields.end() ? curve->second.line : 1,
                          "the edge has one curve: give edge.pass_s and edge.token_s, or "
                          "edge.curve_s, or edge.from_trace");
  }
  if (draft.edge_from_trace) {
    if (draft.setting.trace->verify.empty() || draft.setting.trace->verify.front() <= Seconds()) {
      return scenario_error(file_, line_of(fields, "edge.from_trace"),
                            "the trace has no timings; give edge.pass_s");
    }
    edge.pass = draft.setting.trace->verify;
    return {};
  }
  edge.pass = {draft.pass, draft.pass + draft.pass_token};
  if (curve == fields.end()) {
    return {};
  }
  const auto* points = std::get_if<std::vector<double>>(&curve->second.value);
  const auto is_time = [](double t) { return t > 0.0 && t <= 60.0; };
  if (points == nullptr || points->empty() ||
      !std::all_of(points->begin(), points->end(), is_time) ||
      !std::is_sorted(points->begin(), points->end())) {
    return scenario_error(file_, curve->second.line,
                          "edge.curve_s must be a list of times above 0 and at most 60, T(1), "
                          "T(2), ..., none shorter than the one before");
  }
  edge.pass.clear();
  for (const double t : *points) {
    edge.pass.emplace_back(t);
  }
  return {};
}

Result<void> SettingReader::read_link(const Fields& fields, Setting& setting) {
  std::string text;
  std::uint32_t line = 1;
  for (const auto& [name, field] : fields) {
    if (name != kLink && !name.starts_with(kLinkPrefix)) {
      continue;
    }
    const auto* part = std::get_if<std::string>(&field.value);
    if (part == nullptr) {
      return scenario_error(file_, field.line,
                            fmt::format("{} must be a text with a unit, e.g. \"1mbit\", \"5mhz\" "
                                        "or \"40ms\"",
                                        name));
    }
    line = line == 1 ? field.line : line;
    const std::string key = name == kLink ? "" : name.substr(kLinkPrefix.size());
    if (key.empty() || key == "preset") {
      text = text.empty() ? *part : *part + "," + text;
    } else {
      text += (text.empty() ? "" : ",") + key + "=" + *part;
    }
  }
  if (text.empty()) {
    return scenario_error(file_, 1, "there is no link; add e.g. link = \"rate=1mbit,delay=20ms\"");
  }
  auto spec = link::parse_link_spec(text);
  if (!spec) {
    for (const auto& [name, field] : fields) {
      if (name.starts_with(kLinkPrefix) &&
          spec.error().message.find(name.substr(kLinkPrefix.size()) + "=") != std::string::npos) {
        line = field.line;
      }
    }
    return scenario_error(file_, line, "link: " + spec.error().message);
  }
  if (const auto* replay = std::get_if<link::TraceReplay>(&spec->up)) {
    auto found = link_traces_.find(replay->file);
    if (found == link_traces_.end()) {
      auto rows = read_text(folder_ / replay->file, link::kMaxTraceBytes);
      auto trace = rows ? link::parse_trace(*rows) : fail(rows.error());
      if (!trace) {
        return scenario_error(file_, line, "link: " + trace.error().message);
      }
      found = link_traces_.emplace(replay->file, std::move(*trace)).first;
    }
    setting.link_trace = found->second;
  }
  setting.link = *std::move(spec);
  const auto channels = link::make_channels(setting.link, setting.link_trace, seed_);
  return channels ? Result<void>{}
                  : scenario_error(file_, line, "link: " + channels.error().message);
}

Result<void> SettingReader::read_profile(const Fields& fields, SettingDraft& draft) {
  auto found = profiles_.find(draft.profile);
  if (found == profiles_.end()) {
    const bool path = draft.profile.find('/') != std::string::npos;
    auto profile = energy::find_profile(path ? (folder_ / draft.profile).string() : draft.profile,
                                        places_.profiles);
    if (!profile) {
      return scenario_error(file_, line_of(fields, "profile"), profile.error().message);
    }
    found = profiles_.emplace(draft.profile, *std::move(profile)).first;
  }
  draft.setting.profile = found->second;
  if (draft.draft_token) {
    draft.setting.profile.draft_token = *draft.draft_token;
    draft.setting.profile.draft_token_per_context = Seconds();
  }
  return {};
}

Result<void> SettingReader::read_trace(const Fields& fields, const SettingDraft& draft,
                                       Setting& setting) {
  const std::uint32_t line = line_of(fields, "trace");
  if (draft.trace.empty()) {
    return scenario_error(file_, line,
                          "there is no trace; add e.g. trace = \"iid:0.8\", or the path of one "
                          "that `gelato trace record` wrote");
  }
  auto found = traces_.find(draft.trace);
  if (found == traces_.end()) {
    std::error_code ignored;
    const std::filesystem::path here = folder_ / draft.trace;
    const std::filesystem::path bundled = places_.traces / draft.trace;
    const bool is_here = std::filesystem::exists(here, ignored);
    if (!is_synthetic(draft.trace) && !is_here && !std::filesystem::exists(bundled, ignored)) {
      return scenario_error(file_, line,
                            fmt::format("trace: there is no {}, nor a bundled trace of that name "
                                        "in {}; record one with gelato trace record",
                                        shown(here.string()), places_.traces.string()));
    }
    auto trace = is_synthetic(draft.trace) ? make_synthetic_trace(draft.trace, seed_)
                                           : sim::read_trace(is_here ? here : bundled);
    if (!trace) {
      return scenario_error(file_, line, "trace: " + trace.error().message);
    }
    found =
        traces_.emplace(draft.trace, std::make_shared<const DraftTrace>(*std::move(trace))).first;
  }
  setting.trace = found->second;
  return {};
}

Result<void> SettingReader::check(const Fields& fields, const SettingDraft& draft) const {
  const Setting& s = draft.setting;
  const int budgets =
      (s.budget.per_round ? 1 : 0) + (s.budget.per_token ? 1 : 0) + (s.budget.power ? 1 : 0);
  if (budgets > 1) {
    return scenario_error(file_, line_of(fields, "budget.joules_per_token"),
                          "there may be one budget: per round, per token or in watts");
  }
  if (s.others > 0 && s.others_policy.empty()) {
    return scenario_error(file_, line_of(fields, "fleet.others"),
                          "fleet.others needs fleet.others_policy, e.g. \"static:5\"");
  }
  const auto& prompts = s.trace->prompts;
  if (!s.prompt_set.empty() &&
      std::none_of(prompts.begin(), prompts.end(),
                   [&](const TracePrompt& p) { return p.set == s.prompt_set; })) {
    return scenario_error(
        file_, line_of(fields, "prompts"),
        fmt::format("the trace has no prompts of the set {}", shown(s.prompt_set)));
  }
  return {};
}

Result<Setting> SettingReader::read(const Fields& fields) {
  auto setting = read_one(fields);
  Fields later = fields;
  bool changes = false;
  for (const auto& [name, field] : fields) {
    if (name.starts_with(kChangePrefix) && name != kChangeRound) {
      later[name.substr(kChangePrefix.size())] = field;
      changes = true;
    }
  }
  if (!setting || !changes) {
    return setting;
  }
  if (setting->change_round == 0) {
    return scenario_error(file_, 1,
                          "change.FIELD needs change.round, the rounds before the change");
  }
  auto changed = read_one(later);
  if (!changed) {
    return changed;
  }
  setting->changed = std::make_shared<const Setting>(*std::move(changed));
  return setting;
}

Result<Setting> SettingReader::read_one(const Fields& fields) {
  SettingDraft draft;
  if (auto ok = read_simple(fields, draft); !ok) {
    return fail(ok.error());
  }
  if (auto ok = read_trace(fields, draft, draft.setting); !ok) {
    return fail(ok.error());
  }
  if (auto ok = read_edge(fields, draft); !ok) {
    return fail(ok.error());
  }
  if (auto ok = read_link(fields, draft.setting); !ok) {
    return fail(ok.error());
  }
  if (auto ok = read_profile(fields, draft); !ok) {
    return fail(ok.error());
  }
  if (auto ok = check(fields, draft); !ok) {
    return fail(ok.error());
  }
  const unsigned width = std::bit_width(std::max(draft.setting.trace->vocabulary, 2U) - 1U);
  draft.setting.wire.index = draft.index.value_or(Bits(width));
  return std::move(draft.setting);
}

}  // namespace gelato::sim
