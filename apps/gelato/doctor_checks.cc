#include "gelato/doctor_checks.h"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "gelato/cli.h"
#include "gelato/comparison_report.h"
#include "gelato/prompts.h"
#include "gelato/report/manifest.h"
#include "gelato/report/progress.h"
#include "gelato/report/table.h"

namespace gelato::cli {
namespace {

namespace fs = std::filesystem;

std::string read_all(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string gibibytes(double bytes) { return fmt::format("{:.1f} GiB", bytes / (1ULL << 30U)); }

// The names of what llama.cpp says it was built for: "CPU : AVX = 1 | FMA = 1 | ..." gives "AVX
// FMA".
std::string features(std::string_view info) {
  std::string out;
  while (!info.empty()) {
    const std::size_t end = std::min(info.find('|'), info.size());
    std::string_view item = info.substr(0, end);
    info.remove_prefix(std::min(end + 1, info.size()));
    if (const std::size_t colon = item.find(':'); colon != std::string_view::npos) {
      item.remove_prefix(colon + 1);
    }
    const std::size_t equals = item.find(" = 1");
    const std::size_t first = item.find_first_not_of(' ');
    if (equals != std::string_view::npos && first < equals) {
      out += out.empty() ? "" : " ";
      out += item.substr(first, equals - first);
    }
  }
  return out;
}

// What is wrong with a bundled model; empty if nothing is.
std::string wrong_with(const fs::path& folder, const ListedModel& listed) {
  const auto found = report::describe_model(folder / listed.file);
  if (!found) {
    return found.error().message;
  }
  if (found->bytes != listed.bytes) {
    return fmt::format("{} has {} bytes instead of {}", listed.file, found->bytes, listed.bytes);
  }
  return found->sha256 == listed.sha256
             ? ""
             : fmt::format("{} does not have the SHA-256 of the manifest", listed.file);
}

// Cells of a Markdown table row, without the spaces and back quotes around them.
std::vector<std::string> table_cells(std::string_view line) {
  std::vector<std::string> cells;
  if (!line.starts_with("|")) {
    return cells;
  }
  line.remove_prefix(1);
  for (std::size_t bar = line.find('|'); bar != std::string_view::npos; bar = line.find('|')) {
    const std::string_view cell = line.substr(0, bar);
    const std::size_t first = std::min(cell.find_first_not_of(" `"), cell.size());
    const std::size_t last = cell.find_last_not_of(" `");
    cells.emplace_back(cell.substr(first, last == std::string_view::npos ? 0 : last + 1 - first));
    line.remove_prefix(bar + 1);
  }
  return cells;
}

}  // namespace

std::string_view to_string(Health health) {
  switch (health) {
    case Health::kGood:
      return "ok";
    case Health::kNote:
      return "note";
    case Health::kBad:
      return "failed";
  }
  return "failed";
}

std::vector<ListedModel> read_model_manifest(std::string_view markdown) {
  constexpr std::size_t kDigestLength = 64;
  std::vector<ListedModel> out;
  while (!markdown.empty()) {
    const std::size_t end = std::min(markdown.find('\n'), markdown.size());
    const std::vector<std::string> cells = table_cells(markdown.substr(0, end));
    markdown.remove_prefix(std::min(end + 1, markdown.size()));
    if (cells.size() < 3 || cells.back().size() != kDigestLength) {
      continue;
    }
    const std::string& size = cells[cells.size() - 2];
    std::uint64_t bytes = 0;
    const auto [stopped, error] = std::from_chars(size.data(), size.data() + size.size(), bytes);
    if (error == std::errc() && stopped == size.data() + size.size()) {
      out.push_back({.file = cells.front(), .bytes = bytes, .sha256 = cells.back()});
    }
  }
  return out;
}

std::uint64_t available_memory(std::string_view meminfo) {
  constexpr std::string_view kKey = "MemAvailable:";
  const std::size_t at = meminfo.find(kKey);
  if (at == std::string_view::npos) {
    return 0;
  }
  meminfo.remove_prefix(at + kKey.size());
  meminfo.remove_prefix(std::min(meminfo.find_first_not_of(' '), meminfo.size()));
  std::uint64_t kibibytes = 0;
  std::from_chars(meminfo.data(), meminfo.data() + meminfo.size(), kibibytes);
  return kibibytes * 1024;
}

Finding check_program() {
  std::string text(report::version());
  if (!report::commit().empty()) {
    text += fmt::format(" (commit {:.12})", report::commit());
  }
  return {.subject = "gelato", .text = std::move(text)};
}

Finding check_llama(const engine::Backend& backend) {
  return {.subject = "llama.cpp",
          .text = fmt::format("{}, using {}", backend.version(), features(backend.system_info()))};
}

Finding check_processors(const engine::Backend& backend) {
  Finding finding{.subject = "processors", .data = nlohmann::json::array()};
  bool gpu = false;
  for (const engine::DeviceInfo& device : backend.devices()) {
    gpu = gpu || device.kind == "gpu" || device.kind == "igpu";
    finding.text +=
        fmt::format("{}{} ({}, {})", finding.text.empty() ? "" : "; ", device.name,
                    device.description, gibibytes(static_cast<double>(device.memory_total_bytes)));
    finding.data.push_back({{"name", device.name},
                            {"description", device.description},
                            {"kind", device.kind},
                            {"memory_total_bytes", device.memory_total_bytes}});
  }
  finding.text += gpu ? "" : "; no GPU, -ngl has no effect";
  return finding;
}

Finding check_memory(std::span<const std::string> models) {
  const std::uint64_t available = available_memory(read_all("/proc/meminfo"));
  std::uint64_t needed = 0;
  for (const std::string& model : models) {
    std::error_code ignored;
    const std::uintmax_t size = fs::file_size(model, ignored);
    needed += ignored ? 0 : size;
  }
  Finding finding{.subject = "memory",
                  .text = fmt::format("{} available, the models take {:.1f} MiB",
                                      gibibytes(static_cast<double>(available)),
                                      static_cast<double>(needed) / (1U << 20U)),
                  .data = {{"available_bytes", available}, {"models_bytes", needed}}};
  if (available > 0 && needed > available) {
    finding.health = Health::kNote;
    finding.hint = "weights that do not fit are read from disk again and again: use smaller models";
  }
  return finding;
}

Finding check_bundled_models() {
  Finding finding{.subject = "bundled models"};
  const auto models = find_bundled_models();
  if (!models) {
    finding.health = Health::kNote;
    finding.text = models.error().message;
    finding.hint = "every command that generates needs --model here, and gelato demo cannot run";
    return finding;
  }
  const auto listed = read_model_manifest(read_all(fs::path(models->folder) / "MANIFEST.md"));
  for (const ListedModel& model : listed) {
    if (std::string wrong = wrong_with(models->folder, model); !wrong.empty()) {
      return {.subject = finding.subject,
              .health = Health::kBad,
              .text = std::move(wrong),
              .hint = "check the file out again (git checkout assets/models)"};
    }
  }
  if (listed.empty()) {
    finding.health = Health::kNote;
    finding.text = fmt::format("{} lists no model, so nothing can be checked",
                               (fs::path(models->folder) / "MANIFEST.md").string());
  } else {
    finding.text = fmt::format("{} files, sizes and SHA-256 as in their manifest", listed.size());
  }
  return finding;
}

Finding check_vocabulary(const device::LocalSession& session) {
  const auto name = [](const engine::LanguageModel& model) {
    return fs::path(model.info().path).filename().string();
  };
  if (session.draft() == nullptr) {
    return {.subject = "vocabulary",
            .health = Health::kNote,
            .text = fmt::format("{} tokens; no draft model to compare with",
                                session.target().info().vocabulary_size),
            .hint = "name one with --model-draft"};
  }
  const std::string& note = session.vocabulary_note();
  return {.subject = "vocabulary",
          .text = note.empty()
                      ? fmt::format("{} and {} share all {} tokens", name(session.target()),
                                    name(*session.draft()), session.target().info().vocabulary_size)
                      : note};
}

Finding check_chat_template(const device::LocalSession& session) {
  if (!session.target().info().has_chat_template) {
    return {.subject = "chat template",
            .text = "none in the target, so it continues text and --chat is refused"};
  }
  if (const auto applied = session.target().apply_chat_template("Hello"); !applied) {
    return {.subject = "chat template",
            .health = Health::kNote,
            .text = applied.error().message,
            .hint = "--chat is refused with this model"};
  }
  return {.subject = "chat template", .text = "the target's can be applied (--chat)"};
}

Finding check_threads(const device::LocalSession& session) {
  const unsigned cores = std::thread::hardware_concurrency();
  const std::string draft =
      session.draft() == nullptr ? "" : fmt::format(", draft {}", session.draft_threads());
  Finding finding{
      .subject = "threads",
      .text = fmt::format("target {}{} of {} cores", session.target_threads(), draft, cores),
      .data = {{"target", session.target_threads()},
               {"draft", session.draft_threads()},
               {"cores", cores}}};
  if (session.target_threads() > cores || session.draft_threads() > cores) {
    finding.health = Health::kNote;
    finding.hint = fmt::format("more threads than cores wait for each other: use -t {}", cores);
    return finding;
  }
  double load = 0.0;
  if (::getloadavg(&load, 1) == 1 && load > cores) {
    finding.health = Health::kNote;
    finding.text += fmt::format(", load {:.1f}", load);
    finding.hint = "other programs keep the cores busy: everything here runs slower than it could";
  }
  return finding;
}

Finding check_speculation(device::LocalSession& session, const Clock& clock) {
  // A large model is slow enough for one short text to tell.
  const bool large = session.target().info().size_bytes > (1ULL << 30U);
  const std::uint64_t tokens = large ? 16 : 48;
  const ComparisonPlan plan{.prompts = {builtin_prompts().front()}, .repetitions = large ? 1U : 5U};
  const auto alone = LocalContender::create(session, "", "target alone", tokens);
  const auto draft = LocalContender::create(session, "static:4", "static:4", tokens);
  if (!alone || !draft) {
    return {.subject = "speculation",
            .health = Health::kBad,
            .text = (alone ? draft : alone).error().message};
  }
  const std::vector<Contender*> contenders = {alone->get(), draft->get()};
  std::uint64_t done = 0;
  report::Progress progress("measuring", plan.steps(contenders.size()),
                            report::terminal_of(STDERR_FILENO), clock,
                            [](std::string_view text) { Output(STDERR_FILENO).write(text); });
  const auto rows = compare(contenders, plan, [&] { progress.update(++done); });
  if (!rows) {
    return {.subject = "speculation", .health = Health::kBad, .text = rows.error().message};
  }
  const auto verdict = judge_speculation(*rows, rows->front());
  if (!verdict) {
    return {.subject = "speculation", .text = "static:4 drafted nothing, so nothing was measured"};
  }
  Finding finding{
      .subject = "speculation",
      .text = fmt::format("{} here: {} runs at {:.2f} times the speed of the target alone, a "
                          "drafted token costs {:.2f} of a target step",
                          to_string(verdict->pays), verdict->label, verdict->speed,
                          verdict->draft_cost),
      .data = {{"speedup_vs_target", verdict->speed}, {"draft_cost", verdict->draft_cost}}};
  if (verdict->pays == Pays::kNo) {
    finding.health = Health::kNote;
    finding.hint =
        "in one process use --no-draft; `gelato bench local` compares draft lengths and threads";
  }
  return finding;
}

Finding check_terminal(const report::Terminal& terminal) {
  if (!terminal.interactive) {
    return {.subject = "output", .text = "not a terminal: plain text, no progress bars"};
  }
  return {.subject = "output",
          .text = fmt::format("a terminal of {} columns, {}", terminal.columns,
                              terminal.colour ? "with colours" : "without colours")};
}

}  // namespace gelato::cli
