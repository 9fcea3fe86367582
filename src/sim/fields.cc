#include "fields.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <exception>
#include <utility>

namespace gelato::sim {
namespace {

constexpr std::size_t kMaxShown = 60;
constexpr std::size_t kMaxText = 4096;
constexpr std::size_t kMaxArray = 4096;
constexpr int kMaxNesting = 4;

std::uint32_t line_of(const toml::node& node) {
  return std::max<std::uint32_t>(node.source().begin.line, 1);
}

class Reader {
 public:
  explicit Reader(std::string_view file) : file_(file) {}

  Result<ScenarioText> read(const toml::table& root, bool shortened) {
    ScenarioText out;
    if (auto ok = read_level(root, out); !ok) {
      return fail(ok.error());
    }
    const toml::node* brief = root.get("short");
    if (brief == nullptr) {
      return out;
    }
    if (!brief->is_table()) {
      return error(*brief, "'short' must be a table");
    }
    ScenarioText part;
    if (auto ok = read_level(*brief->as_table(), part); !ok) {
      return fail(ok.error());
    }
    if (shortened) {
      for (auto& [name, field] : part.fields) {
        out.fields[name] = field;
      }
      out.sweeps = part.sweeps.empty() ? out.sweeps : part.sweeps;
      out.entries = part.entries.empty() ? out.entries : part.entries;
    }
    return out;
  }

 private:
  [[nodiscard]] tl::unexpected<Error> error(const toml::node& node, std::string_view what) const {
    return scenario_error(file_, line_of(node), what);
  }

  Result<void> read_level(const toml::table& table, ScenarioText& out) {
    for (const auto& [key, node] : table) {
      Result<void> ok;
      if (key.str() == "policies") {
        ok = read_entries(node, out.entries);
      } else if (key.str() == "sweep") {
        ok = read_sweeps(node, out.sweeps);
      } else if (key.str() != "short") {
        ok = flatten(std::string(key.str()), node, 0, out.fields);
      }
      if (!ok) {
        return ok;
      }
    }
    return {};
  }

  Result<void> flatten(const std::string& name, const toml::node& node, int depth, Fields& out) {
    if (const toml::table* table = node.as_table()) {
      if (depth == kMaxNesting) {
        return error(node, fmt::format("{} is nested too deeply", shown(name)));
      }
      for (const auto& [key, child] : *table) {
        if (auto ok = flatten(name + "." + std::string(key.str()), child, depth + 1, out); !ok) {
          return ok;
        }
      }
      return {};
    }
    auto value = read_value(name, node);
    if (!value) {
      return fail(value.error());
    }
    out[name] = {std::move(*value), line_of(node)};
    return {};
  }

  Result<Value> read_value(const std::string& name, const toml::node& node) const {
    if (node.is_boolean()) {
      return Value(node.as_boolean()->get());
    }
    if (node.is_number()) {
      return Value(node.value<double>().value_or(0.0));
    }
    if (node.is_string()) {
      if (node.as_string()->get().size() > kMaxText) {
        return error(node, fmt::format("{} has more than {} characters", shown(name), kMaxText));
      }
      return Value(node.as_string()->get());
    }
    const toml::array* array = node.as_array();
    if (array == nullptr || array->size() > kMaxArray) {
      return error(node, fmt::format("{} must be a number, a text, true, false or a short list of "
                                     "numbers",
                                     shown(name)));
    }
    std::vector<double> numbers;
    for (const toml::node& item : *array) {
      if (!item.is_number()) {
        return error(item, fmt::format("{} is a list, so it must hold numbers only; to try several "
                                       "values put it under [[sweep]]",
                                       shown(name)));
      }
      numbers.push_back(item.value<double>().value_or(0.0));
    }
    return Value(std::move(numbers));
  }

  Result<void> read_sweeps(const toml::node& node, std::vector<Sweep>& out) {
    const toml::array* array = node.as_array();
    if (array == nullptr) {
      return error(node, "write [[sweep]] with two brackets: there may be several");
    }
    for (const toml::node& item : *array) {
      if (!item.is_table()) {
        return error(item, "a sweep is a table of fields with lists of values");
      }
      Sweep sweep;
      if (auto ok = read_sweep("", *item.as_table(), 0, sweep); !ok) {
        return ok;
      }
      if (sweep.empty()) {
        return error(item, "this [[sweep]] is empty; give it a field with a list of values");
      }
      out.push_back(std::move(sweep));
    }
    return {};
  }

  Result<void> read_sweep(const std::string& prefix, const toml::table& table, int depth,
                          Sweep& out) {
    for (const auto& [key, node] : table) {
      const std::string name = prefix + std::string(key.str());
      if (const toml::table* inner = node.as_table(); inner != nullptr && depth < kMaxNesting) {
        if (auto ok = read_sweep(name + ".", *inner, depth + 1, out); !ok) {
          return ok;
        }
        continue;
      }
      const toml::array* values = node.as_array();
      if (values == nullptr || values->empty() || values->size() > kMaxArray) {
        return error(node, fmt::format("{} is swept, so it must be a list of values", shown(name)));
      }
      SweptField field{name, {}, line_of(node)};
      for (const toml::node& item : *values) {
        auto value = read_value(name, item);
        if (!value) {
          return fail(value.error());
        }
        field.values.push_back(std::move(*value));
      }
      out.push_back(std::move(field));
    }
    return {};
  }

  Result<void> read_entries(const toml::node& node, std::vector<EntryText>& out) {
    const toml::array* array = node.as_array();
    if (array == nullptr || array->empty()) {
      return error(node, "'policies' must be a list, e.g. [\"static:7\", \"gelato-paper\"]");
    }
    for (const toml::node& item : *array) {
      EntryText entry{.policy = {}, .label = {}, .tune = {}, .role = {}, .line = line_of(item)};
      if (item.is_string()) {
        entry.policy = item.as_string()->get();
      } else if (item.is_table()) {
        if (auto ok = read_entry(*item.as_table(), entry); !ok) {
          return ok;
        }
      }
      if (entry.policy.empty() || entry.policy.size() > kMaxText) {
        return error(item, "a policy is a text such as \"static:7\", or a table with 'policy'");
      }
      out.push_back(std::move(entry));
    }
    return {};
  }

  Result<void> read_entry(const toml::table& table, EntryText& entry) const {
    const std::pair<std::string_view, std::string*> known[] = {{"policy", &entry.policy},
                                                               {"label", &entry.label},
                                                               {"tune", &entry.tune},
                                                               {"role", &entry.role}};
    for (const auto& [key, node] : table) {
      const auto* found =
          std::find_if(std::begin(known), std::end(known),
                       [name = key.str()](const auto& k) { return k.first == name; });
      if (found == std::end(known)) {
        return error(node, fmt::format("unknown key {} of a policy; known are policy, label, tune, "
                                       "role",
                                       shown(key.str())));
      }
      if (!node.is_string()) {
        return error(node, fmt::format("'{}' must be a text", found->first));
      }
      *found->second = node.as_string()->get();
    }
    return {};
  }

  std::string_view file_;
};

}  // namespace

tl::unexpected<Error> scenario_error(std::string_view file, std::uint32_t line,
                                     std::string_view what) {
  return fail(ErrorCode::kCorrupt, fmt::format("{}:{}: {}", file, line, what));
}

std::string shown(std::string_view text) {
  std::string out(text.substr(0, kMaxShown));
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c < 0x20 || c > 0x7E; }, '?');
  return "'" + out + (text.size() > kMaxShown ? "...'" : "'");
}

Result<ScenarioText> read_scenario_text(std::string_view text, std::string_view file,
                                        bool shortened) {
  if (text.size() > kMaxScenarioBytes) {
    return fail(
        ErrorCode::kLimitExceeded,
        fmt::format("{} has more than {} bytes, which is no scenario", file, kMaxScenarioBytes));
  }
  try {
    return Reader(file).read(toml::parse(text), shortened);
  } catch (const toml::parse_error& e) {
    std::string what(e.description());
    std::replace_if(
        what.begin(), what.end(), [](char c) { return c < 0x20 || c > 0x7E; }, '?');
    return scenario_error(file, std::max<std::uint32_t>(e.source().begin.line, 1),
                          "this is not TOML: " + what);
  } catch (const std::exception& e) {
    return fail(ErrorCode::kInternal, fmt::format("{} cannot be parsed: {}", file, e.what()));
  }
}

}  // namespace gelato::sim
