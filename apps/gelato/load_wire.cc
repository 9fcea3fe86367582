#include "gelato/load_wire.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace gelato::cli {

namespace {

constexpr std::size_t kColumns = 9;

// An answer as the numbers of a row, in the order in which answer_of() reads them.
nlohmann::json row_of(const AnsweredDraft& answer) {
  return {answer.at.value(),   answer.waited.value(),   answer.queued.value(),
          answer.pass.value(), answer.sessions,         answer.drafted,
          answer.accepted,     answer.traffic.up_bytes, answer.traffic.down_bytes};
}

AnsweredDraft answer_of(const nlohmann::json& row) {
  AnsweredDraft answer{.at = Seconds(row[0].get<double>()),
                       .waited = Seconds(row[1].get<double>()),
                       .queued = Seconds(row[2].get<double>()),
                       .pass = Seconds(row[3].get<double>()),
                       .sessions = row[4].get<std::uint32_t>(),
                       .drafted = row[5].get<std::uint32_t>(),
                       .accepted = row[6].get<std::uint32_t>(),
                       .traffic = {}};
  answer.traffic.up_bytes = row[7].get<std::uint64_t>();
  answer.traffic.down_bytes = row[8].get<std::uint64_t>();
  return answer;
}

bool is_row(const nlohmann::json& row) {
  return row.is_array() && row.size() == kColumns &&
         std::ranges::all_of(row, [](const auto& cell) { return cell.is_number(); });
}

}  // namespace

std::string to_line(const LoadPlan& plan) {
  const nlohmann::json line = {{"edge", plan.edge.endpoint}, {"insecure", plan.edge.insecure},
                               {"link", plan.link.link},     {"devices", plan.devices},
                               {"first", plan.first},        {"policy", plan.policy},
                               {"replay", plan.replay},      {"tokens", plan.tokens},
                               {"prompts", plan.prompts}};
  return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<LoadPlan> plan_of(const std::string& line) {
  LoadPlan plan;
  try {
    const nlohmann::json said = nlohmann::json::parse(line);
    said.at("edge").get_to(plan.edge.endpoint);
    said.at("insecure").get_to(plan.edge.insecure);
    said.at("link").get_to(plan.link.link);
    said.at("devices").get_to(plan.devices);
    said.at("first").get_to(plan.first);
    said.at("policy").get_to(plan.policy);
    said.at("replay").get_to(plan.replay);
    said.at("tokens").get_to(plan.tokens);
    said.at("prompts").get_to(plan.prompts);
  } catch (const nlohmann::json::exception&) {
    return fail(ErrorCode::kInvalidArgument,
                "standard input has no plan; `gelato bench edge` starts this command");
  }
  if (plan.devices == 0 || plan.prompts.empty()) {
    return fail(ErrorCode::kInvalidArgument, "the plan has no devices or no prompts");
  }
  return plan;
}

std::string to_line(const LoadResult& result) {
  nlohmann::json devices = nlohmann::json::array();
  for (const auto& answers : result.answers) {
    nlohmann::json& rows = devices.emplace_back(nlohmann::json::array());
    for (const AnsweredDraft& answer : answers) {
      rows.push_back(row_of(answer));
    }
  }
  return nlohmann::json{{"losses", result.losses}, {"devices", std::move(devices)}}.dump();
}

Result<void> add_line(const std::string& line, Seconds from, LoadResult& result) {
  const nlohmann::json said = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  const auto malformed = [] {
    return fail(ErrorCode::kCorrupt, "a process of devices gave an answer that is none");
  };
  if (!said.is_object() || !said.contains("losses") || !said["losses"].is_number_unsigned() ||
      !said.contains("devices") || !said["devices"].is_array()) {
    return malformed();
  }
  for (const nlohmann::json& rows : said["devices"]) {
    if (!rows.is_array() || !std::ranges::all_of(rows, is_row)) {
      return malformed();
    }
    auto& kept = result.answers.emplace_back();
    for (const nlohmann::json& row : rows) {
      const AnsweredDraft answer = answer_of(row);
      if (answer.at >= from && answer.at < from + result.window) {
        kept.push_back(answer);
      }
    }
  }
  result.losses += said["losses"].get<std::uint64_t>();
  return {};
}

}  // namespace gelato::cli
