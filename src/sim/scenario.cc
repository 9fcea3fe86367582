#include "gelato/sim/scenario.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <utility>

#include "fields.h"
#include "gelato/base/rng.h"
#include "gelato/sim/oracle.h"
#include "setting_fields.h"

namespace gelato::sim {
namespace {

constexpr double kSchema = 1;
// Keys of the scenario itself, which cannot be swept.
constexpr std::string_view kOwnFields[] = {"schema", "name", "description", "seeds",
                                           "record_rounds"};

bool is_own(std::string_view name) {
  return std::find(std::begin(kOwnFields), std::end(kOwnFields), name) != std::end(kOwnFields);
}

class Builder {
 public:
  Builder(ScenarioText text, std::string_view file, const std::filesystem::path& folder,
          const ScenarioPlaces& places, std::uint64_t seed)
      : text_(std::move(text)), file_(file), reader_(file, folder, places, seed) {}

  Result<Scenario> build() {
    if (auto ok = check_names(); !ok) {
      return fail(ok.error());
    }
    if (auto ok = read_own(); !ok) {
      return fail(ok.error());
    }
    if (auto ok = read_entries(); !ok) {
      return fail(ok.error());
    }
    if (text_.sweeps.empty()) {
      text_.sweeps.emplace_back();
    }
    for (const Sweep& sweep : text_.sweeps) {
      if (auto ok = add_cells(sweep); !ok) {
        return fail(ok.error());
      }
    }
    return std::move(scenario_);
  }

 private:
  [[nodiscard]] tl::unexpected<Error> error(std::uint32_t line, std::string_view what) const {
    return scenario_error(file_, line, what);
  }

  Result<void> check_names() const {
    for (const auto& [name, field] : text_.fields) {
      if (!is_own(name) && !is_setting_field(name)) {
        return error(field.line,
                     fmt::format("unknown key {}; {}", shown(name), known_fields(name)));
      }
    }
    for (const Sweep& sweep : text_.sweeps) {
      for (const SweptField& field : sweep) {
        if (!is_setting_field(field.name)) {
          return error(field.line, fmt::format("{} cannot be swept; {}", shown(field.name),
                                               known_fields(field.name)));
        }
      }
    }
    return {};
  }

  template <class T>
  const T* own(std::string_view name, std::uint32_t& line) const {
    const auto found = text_.fields.find(name);
    if (found == text_.fields.end()) {
      return nullptr;
    }
    line = found->second.line;
    return std::get_if<T>(&found->second.value);
  }

  Result<void> read_own() {
    std::uint32_t line = 1;
    const auto* schema = own<double>("schema", line);
    if (schema == nullptr || *schema != kSchema) {
      return error(line, "the scenario must begin with schema = 1");
    }
    for (auto [name, out] :
         {std::pair{"name", &scenario_.name}, std::pair{"description", &scenario_.description}}) {
      const auto* text = own<std::string>(name, line);
      if (text == nullptr && text_.fields.contains(name)) {
        return error(line, fmt::format("{} must be a text", name));
      }
      *out = text == nullptr ? "" : *text;
    }
    if (auto ok = read_count("seeds", 1, kMaxSeeds, scenario_.seeds); !ok) {
      return ok;
    }
    return read_count("record_rounds", 0, kMaxRecordedRounds, scenario_.record_rounds);
  }

  Result<void> read_count(std::string_view name, std::uint32_t least, std::uint32_t most,
                          std::uint32_t& out) const {
    if (!text_.fields.contains(name)) {
      return {};
    }
    std::uint32_t line = 1;
    const auto* count = own<double>(name, line);
    if (count == nullptr || !(*count >= least && *count <= most) || *count != std::floor(*count)) {
      return error(
          line, fmt::format("{} must be a whole number from {} and at most {}", name, least, most));
    }
    out = static_cast<std::uint32_t>(*count);
    return {};
  }

  Result<void> read_entries() {
    if (text_.entries.empty()) {
      return error(1, "there are no policies; add e.g. policies = [\"static:7\"]");
    }
    if (text_.entries.size() > kMaxPolicies) {
      return error(text_.entries[0].line, fmt::format("more than {} policies", kMaxPolicies));
    }
    for (const EntryText& text : text_.entries) {
      Entry entry;
      entry.label = text.label.empty() ? text.policy : text.label;
      entry.text = text.policy;
      if (text.tune == "tokens_per_s") {
        entry.tune = Tune::kTokensPerSecond;
      } else if (text.tune == "joules_per_token") {
        entry.tune = Tune::kJoulesPerToken;
      } else if (!text.tune.empty()) {
        return error(text.line, "tune must be \"tokens_per_s\" or \"joules_per_token\"");
      }
      if (text.role == "baseline") {
        entry.role = Role::kBaseline;
      } else if (text.role == "contender") {
        entry.role = Role::kContender;
      } else if (text.role == "one-in-flight") {
        entry.role = Role::kOneInFlight;
      } else if (text.role == "frontier") {
        entry.role = Role::kFrontier;
      } else if (!text.role.empty()) {
        return error(text.line,
                     "role must be \"baseline\", \"contender\", \"one-in-flight\" or "
                     "\"frontier\"");
      }
      const bool twice = std::any_of(scenario_.entries.begin(), scenario_.entries.end(),
                                     [&](const Entry& e) { return e.label == entry.label; });
      if (twice) {
        return error(text.line, fmt::format("two policies are called {}; give one a label",
                                            shown(entry.label)));
      }
      scenario_.entries.push_back(std::move(entry));
    }
    return {};
  }

  Result<void> add_cells(const Sweep& sweep) {
    std::vector<std::size_t> at(sweep.size(), 0);
    for (;;) {
      if (scenario_.cells.size() == kMaxCells) {
        return error(sweep.empty() ? 1 : sweep[0].line,
                     fmt::format("the sweeps have more than {} cells", kMaxCells));
      }
      if (auto ok = add_cell(sweep, at); !ok) {
        return ok;
      }
      // The last field changes fastest.
      std::size_t i = sweep.size();
      while (i > 0 && ++at[i - 1] == sweep[i - 1].values.size()) {
        at[--i] = 0;
      }
      if (i == 0) {
        return {};
      }
    }
  }

  Result<void> add_cell(const Sweep& sweep, const std::vector<std::size_t>& at) {
    Fields fields = text_.fields;
    Cell cell;
    for (std::size_t i = 0; i < sweep.size(); ++i) {
      const Value& value = sweep[i].values[at[i]];
      fields[sweep[i].name] = {value, sweep[i].line};
      cell.swept.emplace_back(sweep[i].name, value);
    }
    auto setting = reader_.read(fields);
    if (!setting) {
      return fail(setting.error());
    }
    cell.setting = *std::move(setting);
    scenario_.synthetic =
        scenario_.synthetic || cell.setting.trace->machine.starts_with("synthetic");
    for (std::size_t i = 0; i < text_.entries.size(); ++i) {
      auto candidates = expand(text_.entries[i], fields);
      if (!candidates) {
        return fail(candidates.error());
      }
      if (candidates->size() > 1 && scenario_.entries[i].tune == Tune::kNone) {
        return error(text_.entries[i].line,
                     "a policy with several candidates needs tune = \"tokens_per_s\" or "
                     "\"joules_per_token\"");
      }
      cell.candidates.push_back(*std::move(candidates));
    }
    scenario_.cells.push_back(std::move(cell));
    return {};
  }

  // Fills in {field} and multiplies {a,b,c} out.
  Result<std::vector<std::string>> expand(const EntryText& entry, const Fields& fields) const {
    std::vector<std::string> open{entry.policy};
    std::vector<std::string> done;
    while (!open.empty()) {
      const std::string text = std::move(open.back());
      open.pop_back();
      const std::size_t left = text.find('{');
      if (left == std::string::npos) {
        if (auto policy = control::make_policy(text); !policy && !is_oracle(text)) {
          return error(entry.line, policy.error().message);
        }
        done.push_back(text);
        continue;
      }
      const std::size_t right = text.find('}', left);
      if (right == std::string::npos) {
        return error(entry.line, fmt::format("the brace in {} is not closed", shown(text)));
      }
      auto choices = choices_of(text.substr(left + 1, right - left - 1), entry.line, fields);
      if (!choices) {
        return fail(choices.error());
      }
      if (open.size() + done.size() + choices->size() > kMaxCandidates) {
        return error(entry.line, fmt::format("{} stands for more than {} policies",
                                             shown(entry.policy), kMaxCandidates));
      }
      // From the back, so that candidates keep the order in which they are written.
      std::reverse(choices->begin(), choices->end());
      for (const std::string& choice : *choices) {
        open.push_back(text.substr(0, left) + choice + text.substr(right + 1));
      }
    }
    return done;
  }

  [[nodiscard]] Result<std::vector<std::string>> choices_of(std::string_view inside,
                                                            std::uint32_t line,
                                                            const Fields& fields) const {
    if (inside.find(',') == std::string_view::npos) {
      const auto field = fields.find(inside);
      // To a policy, a budget of 0 is none.
      if (inside.starts_with("budget.") && is_setting_field(inside) &&
          (field == fields.end() || std::holds_alternative<std::string>(field->second.value))) {
        return std::vector<std::string>{"0"};
      }
      if (field == fields.end()) {
        return error(line, fmt::format("{} in braces is no field of this scenario", shown(inside)));
      }
      const std::string value = to_string(field->second.value);
      if (value.find('{') != std::string::npos) {
        return error(field->second.line, "a value that a policy uses must not have braces");
      }
      return std::vector<std::string>{value};
    }
    std::vector<std::string> out;
    for (std::size_t begin = 0; begin <= inside.size();) {
      const std::size_t end = std::min(inside.find(',', begin), inside.size());
      out.emplace_back(inside.substr(begin, end - begin));
      begin = end + 1;
    }
    return out;
  }

  ScenarioText text_;
  std::string_view file_;
  SettingReader reader_;
  Scenario scenario_;
};

// Tells scenarios apart whose rows must not be mixed. Device profiles and what a trace holds beyond
// its size are left out: it guards against mistakes, not against malice.
std::uint64_t fingerprint(const Scenario& scenario, std::string_view text,
                          const ScenarioOptions& options) {
  std::string all(text);
  all += fmt::format("|{}|{}", options.seed, options.shortened);
  for (const Cell& cell : scenario.cells) {
    all += fmt::format("|{}", cell.setting.trace->positions());
  }
  return stream_id(all);
}

}  // namespace

std::string to_string(const Value& value) {
  if (const auto* flag = std::get_if<bool>(&value)) {
    return *flag ? "true" : "false";
  }
  if (const auto* number = std::get_if<double>(&value)) {
    return fmt::format("{}", *number);
  }
  if (const auto* text = std::get_if<std::string>(&value)) {
    return *text;
  }
  return fmt::format("{}", fmt::join(std::get<std::vector<double>>(value), " "));
}

Result<Scenario> parse_scenario(std::string_view text, std::string_view file,
                                const std::filesystem::path& folder, const ScenarioPlaces& places,
                                const ScenarioOptions& options) {
  auto read = read_scenario_text(text, file, options.shortened);
  if (!read) {
    return fail(read.error());
  }
  auto scenario = Builder(*std::move(read), file, folder, places, options.seed).build();
  if (scenario) {
    scenario->fingerprint = fingerprint(*scenario, text, options);
  }
  return scenario;
}

Result<Scenario> load_scenario(const std::filesystem::path& path, const ScenarioPlaces& places,
                               const ScenarioOptions& options) {
  std::error_code ignored;
  const bool folder = std::filesystem::is_directory(path, ignored);
  const std::filesystem::path file = folder ? path / "scenario.toml" : path;
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    return fail(ErrorCode::kNotFound,
                fmt::format("there is no scenario {}; see docs/modules/sim.md for how to write one",
                            file.string()));
  }
  std::string text(kMaxScenarioBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  auto scenario = parse_scenario(text, file.string(), file.parent_path(), places, options);
  if (scenario && scenario->name.empty()) {
    scenario->name = folder ? path.filename().string() : file.stem().string();
  }
  return scenario;
}

}  // namespace gelato::sim
