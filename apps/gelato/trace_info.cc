// gelato trace info, gelato trace export.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <iterator>
#include <nlohmann/json.hpp>

#include "gelato/cli.h"
#include "gelato/report/manifest.h"
#include "gelato/report/output.h"
#include "gelato/report/table.h"
#include "gelato/sim/trace_file.h"
#include "gelato/sim/trace_stats.h"
#include "gelato/trace.h"

namespace gelato::cli {

nlohmann::json describe_trace(const sim::DraftTrace& trace) {
  auto sets = nlohmann::json::array();
  for (const sim::SetStats& set : sim::set_stats(trace)) {
    sets.push_back({{"set", set.set.empty() ? nlohmann::json() : nlohmann::json(set.set)},
                    {"prompts", set.prompts},
                    {"positions", set.positions},
                    {"ended", set.ended},
                    {"acceptance_rate", set.acceptance},
                    {"mean_accepted", set.mean_accepted},
                    {"mean_entropy_nats", set.mean_entropy}});
  }
  auto verify = nlohmann::json::array();
  for (const Seconds time : trace.verify) {
    verify.push_back(time.value());
  }
  return {{"recorded_by", trace.version},
          {"recorded_on", trace.machine},
          {"target", trace.target},
          {"draft", trace.draft},
          {"source", trace.source},
          {"vocabulary", trace.vocabulary},
          {"depth", trace.depth},
          {"top_p", trace.top_p},
          {"draft_token_s", trace.draft_token.value()},
          {"verify_s", verify},
          {"prompts", trace.prompts.size()},
          {"positions", trace.positions()},
          {"sets", sets}};
}

std::string trace_table(const sim::DraftTrace& trace, const report::Terminal& terminal) {
  using report::Align;
  std::string head;
  const auto line = [&head](std::string_view what, const std::string& is) {
    head += fmt::format("{:<10}{}\n", what, report::printable(is));
  };
  line("target", trace.target);
  line("draft", trace.draft);
  line("prompts", trace.source);
  line("recorded", fmt::format("by Gelato {} on {}", trace.version, trace.machine));
  line("depth", fmt::format("{} tokens; top-p sets of {}", trace.depth, trace.top_p));
  line("times", fmt::format("{:.3f} ms a drafted token; a pass of the target {:.3f} ms, with {} "
                            "drafted tokens {:.3f} ms",
                            1e3 * trace.draft_token.value(), 1e3 * trace.verify.front().value(),
                            trace.depth, 1e3 * trace.verify.back().value()));
  report::Table sets({{"set", Align::kLeft},
                      {"prompts", Align::kRight},
                      {"positions", Align::kRight},
                      {"ended", Align::kRight},
                      {"accepted", Align::kRight},
                      {"in a row", Align::kRight},
                      {"entropy", Align::kRight}});
  for (const sim::SetStats& set : sim::set_stats(trace)) {
    sets.add_row({set.set.empty() ? "all" : set.set, fmt::format("{}", set.prompts),
                  fmt::format("{}", set.positions), fmt::format("{}", set.ended),
                  fmt::format("{:.1f} %", 100.0 * set.acceptance),
                  report::number(set.mean_accepted, 2), report::number(set.mean_entropy, 2)});
  }
  return head + "\n" + sets.render(terminal);
}

namespace {

struct InfoFlags {
  std::string file;
  std::string json;
};

Result<void> info(const InfoFlags& flags) {
  if (auto ok = check_json(flags.json); !ok) {
    return ok;
  }
  const auto trace = sim::read_trace(flags.file);
  if (!trace) {
    return fail(trace.error());
  }
  const int text_to = text_descriptor(flags.json);
  Output out(text_to);
  out.write(trace_table(*trace, report::terminal_of(text_to)));
  if (!flags.json.empty()) {
    nlohmann::json result = report::to_json(
        report::RunManifest{.seed = 0, .machine = report::this_machine(), .models = {}});
    result["trace"] = describe_trace(*trace);
    if (auto ok = report::write_json(flags.json, result); !ok) {
      return ok;
    }
  }
  return out.status();
}

// A text as a CSV field (RFC 4180).
std::string field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) {
    return text;
  }
  std::string out = "\"";
  for (const char c : text) {
    out += c;
    if (c == '"') {
      out += c;
    }
  }
  return out + '"';
}

// Floats in as few digits as bring the same float back.
std::string to_csv(const sim::DraftTrace& trace) {
  std::string csv = "prompt,set,position,target_token,depth,entropy_nats,top1,margin,top_p,match\n";
  for (const sim::TracePrompt& prompt : trace.prompts) {
    const std::string names = field(prompt.id) + ',' + field(prompt.set);
    for (std::uint32_t i = 0; i < prompt.positions; ++i) {
      const std::size_t position = prompt.first + std::size_t{i};
      std::uint32_t depth = 0;
      for (const sim::TraceToken& token : trace.drafts(position)) {
        if (token.top_p == 0) {
          break;
        }
        fmt::format_to(std::back_inserter(csv), "{},{},{},{},{},{},{},{},{}\n", names, i,
                       trace.target_tokens[position], ++depth, token.entropy, token.top1,
                       token.margin, token.top_p, token.match);
      }
    }
  }
  return csv;
}

struct ExportFlags {
  std::string file;
  std::string csv;
};

Result<void> export_csv(const ExportFlags& flags) {
  if (auto ok = report::check_output(flags.csv); !ok) {
    return ok;
  }
  const auto trace = sim::read_trace(flags.file);
  return trace ? report::write_output(flags.csv, to_csv(*trace)) : fail(trace.error());
}

}  // namespace

int trace_info_command(const std::vector<std::string>& arguments) {
  InfoFlags flags;
  CLI::App app("What a draft trace holds.", "gelato trace info");
  set_up(app);
  app.add_option("trace", flags.file, "The trace")->required()->type_name("FILE");
  add_json_option(app, flags.json);
  app.footer("Example:\n  gelato trace info tale.trace\n");
  int exit_code = kSuccess;
  if (!parse(app, arguments, exit_code)) {
    return exit_code;
  }
  const auto ok = info(flags);
  return ok ? kSuccess : print_error(ok.error());
}

int trace_export_command(const std::vector<std::string>& arguments) {
  ExportFlags flags;
  CLI::App app("Every drafted token of a trace as CSV.", "gelato trace export");
  set_up(app);
  app.add_option("trace", flags.file, "The trace")->required()->type_name("FILE");
  app.add_option("--csv", flags.csv, "Where the CSV goes; -: standard output")
      ->required()
      ->type_name("FILE");
  app.footer("Example:\n  gelato trace export tale.trace --csv tale.csv\n");
  int exit_code = kSuccess;
  if (!parse(app, arguments, exit_code)) {
    return exit_code;
  }
  const auto ok = export_csv(flags);
  return ok ? kSuccess : print_error(ok.error());
}

}  // namespace gelato::cli
