// The fields of a scenario that make up a Setting.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "fields.h"
#include "gelato/sim/scenario.h"

namespace gelato::sim {

struct SettingDraft;

// Builds Settings from fields; files are read once.
class SettingReader {
 public:
  SettingReader(std::string_view file, std::filesystem::path folder, ScenarioPlaces places,
                std::uint64_t seed)
      : file_(file), folder_(std::move(folder)), places_(std::move(places)), seed_(seed) {}

  // Errors: kCorrupt, `FILE:LINE: ...`.
  Result<Setting> read(const Fields& fields);

 private:
  Result<Setting> read_one(const Fields& fields);
  Result<void> read_simple(const Fields& fields, SettingDraft& draft) const;
  Result<void> read_edge(const Fields& fields, SettingDraft& draft) const;
  Result<void> read_link(const Fields& fields, Setting& setting);
  Result<void> read_profile(const Fields& fields, SettingDraft& draft);
  Result<void> read_trace(const Fields& fields, const SettingDraft& draft, Setting& setting);
  Result<void> check(const Fields& fields, const SettingDraft& draft) const;

  std::string_view file_;
  std::filesystem::path folder_;
  ScenarioPlaces places_;
  std::uint64_t seed_;
  std::map<std::string, std::shared_ptr<const DraftTrace>> traces_;
  std::map<std::string, energy::DeviceProfile> profiles_;
  std::map<std::string, link::Trace> link_traces_;
};

// Fields of what a run changes to, and when: change.round, change.FIELD.
inline constexpr std::string_view kChangePrefix = "change.";

// Whether `name` is a field that a Setting knows (link.KEY is left to the link's own parser).
bool is_setting_field(std::string_view name);

// "known in [edge] are edge.pass_s, ..." for a field that nobody knows.
std::string known_fields(std::string_view name);

}  // namespace gelato::sim
