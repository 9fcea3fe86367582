#include "gelato/link_comparison.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "gelato/cli.h"
#include "gelato/comparison_report.h"
#include "gelato/report/output.h"
#include "gelato/report/table.h"
#include "gelato/subprocess.h"
#include "gelato/throwaway_certificate.h"

namespace gelato::cli {

namespace fs = std::filesystem;

class TemporaryFolder {
 public:
  static Result<std::unique_ptr<TemporaryFolder>> create() {
    std::error_code error;
    std::string path = (fs::temp_directory_path(error) / "gelato-XXXXXX").string();
    if (error || ::mkdtemp(path.data()) == nullptr) {
      return fail(ErrorCode::kIo, "cannot make a temporary folder");
    }
    return std::unique_ptr<TemporaryFolder>(new TemporaryFolder(path));
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] std::string file(const char* name) const { return path_ + "/" + name; }

 private:
  explicit TemporaryFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

namespace {

// Eighths of a cell, so that rates that differ by a little show.
std::string bar(double fraction) {
  constexpr std::size_t kCells = 20;
  static const std::vector<std::string> eighths_of_cell = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const auto eighths =
      static_cast<std::size_t>(std::lround(std::max(0.0, fraction) * 8.0 * kCells));
  std::string out;
  for (std::size_t i = 0; i < eighths / 8; ++i) {
    out += "█";
  }
  return out + eighths_of_cell[eighths % 8];
}

}  // namespace

LinkComparison::LinkComparison(LinkPlan plan, const Clock& clock)
    : plan_(std::move(plan)), clock_(&clock) {}

LinkComparison::~LinkComparison() = default;

const std::vector<std::string>& LinkComparison::policies() {
  static const std::vector<std::string> all = {"edge-only", "device-only",  "static:4", "static:8",
                                               "p-min",     "gelato-paper", "gelato"};
  return all;
}

Result<std::unique_ptr<LinkComparison>> LinkComparison::create(LinkPlan plan, const Clock& clock) {
  std::unique_ptr<LinkComparison> comparison(new LinkComparison(std::move(plan), clock));
  if (auto ok = comparison->start(); !ok) {
    return fail(ok.error());
  }
  return comparison;
}

Result<void> LinkComparison::start() {
  auto folder = TemporaryFolder::create();
  const auto certificate = make_throwaway_certificate();
  if (!folder || !certificate) {
    return fail(folder ? certificate.error() : folder.error());
  }
  folder_ = std::move(*folder);
  for (const auto& [name, text] : {std::pair{"edge.crt", &certificate->certificate},
                                   std::pair{"edge.key", &certificate->key}}) {
    if (auto ok = report::write_output(folder_->file(name), *text); !ok) {
      return ok;
    }
  }
  auto edge = EdgeProcess::start(plan_.program,
                                 {"--model", plan_.target, "--tls-cert", folder_->file("edge.crt"),
                                  "--tls-key", folder_->file("edge.key"), "--pace-pass",
                                  fmt::format("{}", plan_.edge_pass_s), "--drain-timeout", "1"},
                                 *clock_);
  if (!edge) {
    return fail(edge.error());
  }
  edge_ = std::move(*edge);
  return {};
}

Result<void> LinkComparison::add(LinkRow& row, const std::string& prompt, double& tokens,
                                 double& seconds,
                                 const std::function<void(std::size_t written)>& watch) {
  // The result goes to the standard output, and so the text elsewhere.
  const ProcessLimits limits{
      .cancelled = interrupted,
      .on_output = [&](const ProcessResult& so_far) { watch(so_far.err.size()); }};
  const auto ended = run_process({plan_.program.empty() ? "/proc/self/exe" : plan_.program,
                                  "device",
                                  "--edge",
                                  edge_->endpoint(),
                                  "--ca",
                                  folder_->file("edge.crt"),
                                  "--link",
                                  plan_.link,
                                  "--model-draft",
                                  plan_.draft,
                                  "--policy",
                                  row.policy,
                                  "--prompt",
                                  prompt,
                                  "--predict",
                                  std::to_string(plan_.tokens),
                                  "--temp",
                                  "0",
                                  "--pace",
                                  plan_.pace,
                                  "--energy",
                                  "model:" + plan_.pace,
                                  "--quiet",
                                  "--json",
                                  "-"},
                                 *clock_, limits);
  if (!ended) {
    return fail(ended.error());
  }
  const nlohmann::json result = nlohmann::json::parse(ended->out, nullptr, false);
  if (ended->exit_code != 0 || !result.is_object()) {
    return fail(ErrorCode::kInternal,
                fmt::format("gelato device failed: {}", last_line(ended->err)));
  }
  const auto number = [&](const char* key) {
    return result.contains(key) && result[key].is_number() ? result[key].get<double>() : 0.0;
  };
  tokens += number("tokens");
  seconds += number("total_s");
  row.tokens += number("tokens");
  row.unverified += number("unverified_tokens");
  row.drafted += number("drafted");
  row.accepted += number("accepted");
  row.up_bytes += number("uplink_bytes");
  row.joules += number("energy_j");
  row.passes += number("edge_passes");
  row.first_token_s.push_back(number("ttft_s"));
  if (row.texts.size() < plan_.prompts.size()) {
    row.texts.push_back(result.value("output", ""));
  }
  return {};
}

Result<std::vector<LinkRow>> LinkComparison::measure(const Watch& watch) {
  std::vector<LinkRow> rows;
  for (const std::string& policy : policies()) {
    rows.emplace_back().policy = policy;
  }
  for (std::uint32_t turn = 0; turn < plan_.repetitions; ++turn) {
    std::vector<double> tokens(rows.size(), 0.0);
    std::vector<double> seconds(rows.size(), 0.0);
    for (const std::string& prompt : plan_.prompts) {
      for (std::size_t i = 0; i < rows.size(); ++i) {
        const auto grows = [&](std::size_t written) { watch({.row = i, .written = written}); };
        grows(0);
        if (auto ok = add(rows[i], prompt, tokens[i], seconds[i], grows); !ok) {
          return fail(ok.error());
        }
        watch({.row = i, .ended = true});
      }
    }
    for (std::size_t i = 0; i < rows.size(); ++i) {
      rows[i].tokens_per_s.push_back(tokens[i] / seconds[i]);
    }
  }
  return rows;
}

namespace {

// The fastest of the rows that `wanted` is true of; null if it is true of none.
template <class Wanted>
const LinkRow* fastest(const std::vector<LinkRow>& rows, Wanted wanted) {
  const LinkRow* best = nullptr;
  for (const LinkRow& row : rows) {
    if (wanted(row) && (best == nullptr || row.speed().median() > best->speed().median())) {
      best = &row;
    }
  }
  return best;
}

bool is_fixed(const LinkRow& row) { return row.fixed_length(); }
bool verifies_drafts(const LinkRow& row) { return row.drafted > 0.0 && !row.by_draft_alone(); }

}  // namespace

std::string link_table(const std::vector<LinkRow>& rows, const LinkPlan& plan,
                       const report::Terminal& terminal) {
  const double top = fastest(rows, [](const LinkRow&) { return true; })->speed().median();
  const LinkRow* best_static = fastest(rows, is_fixed);
  constexpr auto kRight = report::Align::kRight;
  report::Table table({{.title = plan.link},
                       {.title = "tok/s", .align = kRight},
                       {.title = ""},
                       {.title = "J/token (model)", .align = kRight},
                       {.title = "edge passes/token", .align = kRight},
                       {.title = "first token, ms", .align = kRight},
                       {.title = "accepted", .align = kRight},
                       {.title = "text"}});
  for (const LinkRow& row : rows) {
    if (row.fixed_length() && &row != best_static) {
      continue;
    }
    const double speed = row.speed().median();
    table.add_row({&row == best_static ? fmt::format("best static ({})", row.policy) : row.policy,
                   report::number(speed, 1), bar(speed / top),
                   report::number(row.joules / row.tokens, 3),
                   report::number(row.passes / row.tokens, 2),
                   report::number(report::Summary(row.first_token_s).median() * 1000.0, 0),
                   percent(row.accepted / row.drafted),
                   row.by_draft_alone() ? report::Cell("not the target's", report::Style::kWarn)
                                        : report::Cell("the target's")});
  }
  return table.render(terminal) +
         fmt::format(
             "\nReal texts and messages, emulated times: the link, drafting as on the device of "
             "the "
             "profile {}, whose joules are modelled, and a pass of the edge of {}.\n",
             plan.pace,
             plan.edge_pass_s > 0.0 ? fmt::format("{:g} ms", plan.edge_pass_s * 1e3)
                                    : "its own length");
}

std::string explain(const std::vector<LinkRow>& rows) {
  const LinkRow* best = fastest(rows, verifies_drafts);
  if (best == nullptr) {
    return {};
  }
  const LinkRow& streamed = rows.front();
  return fmt::format(
      "The fastest with the target's text and a draft, {}, runs at {:.2f} times the speed of "
      "streaming from the edge, with {:.0f} % of its passes.\n",
      best->policy, best->speed().median() / streamed.speed().median(),
      100.0 * (best->passes / best->tokens) / (streamed.passes / streamed.tokens));
}

nlohmann::json to_json(const LinkRow& row) {
  return {{"policy", row.policy},
          {"tokens_per_s", to_json(row.speed())},
          {"ttft_s", to_json(report::Summary(row.first_token_s))},
          {"acceptance_rate", row.accepted / row.drafted},
          {"joules_per_token", row.joules / row.tokens},
          {"edge_passes_per_token", row.passes / row.tokens},
          {"uplink_bytes_per_token", row.up_bytes / row.tokens},
          {"unverified_tokens", row.unverified},
          {"outputs", row.texts}};
}

}  // namespace gelato::cli
