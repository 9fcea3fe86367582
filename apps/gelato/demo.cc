// gelato demo: the bundled models, target alone and with drafts, side by side in one process; then
// an edge and a device as two processes over an emulated link.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "gelato/cli.h"
#include "gelato/commands.h"
#include "gelato/comparison_report.h"
#include "gelato/link_comparison.h"
#include "gelato/model_options.h"
#include "gelato/prompts.h"
#include "gelato/report/digest.h"
#include "gelato/report/output.h"
#include "gelato/report/progress.h"

namespace gelato::cli {
namespace {

// Long enough for a few sentences, short enough for three prompts, three policies and six turns in
// less than five seconds.
constexpr std::uint32_t kTokens = 64;
constexpr std::uint32_t kRepetitions = 5;

struct DemoFlags {
  std::uint32_t tokens = 0;  // 0: kTokens, over the link LinkPlan's
  std::uint32_t repetitions = kRepetitions;
  LinkPlan link;
  bool no_link = false;
  std::string json;

  [[nodiscard]] std::uint32_t local_tokens() const { return tokens > 0 ? tokens : kTokens; }
};

// The models, and who takes part; the target alone comes first.
struct Stage {
  std::unique_ptr<Workplace> workplace;
  std::vector<std::unique_ptr<LocalContender>> contenders;

  [[nodiscard]] std::vector<Contender*> all() const {
    std::vector<Contender*> out;
    for (const auto& contender : contenders) {
      out.push_back(contender.get());
    }
    return out;
  }
};

Result<Stage> set_stage(const DemoFlags& flags) {
  const auto models = find_bundled_models();
  if (!models) {
    return fail(models.error());
  }
  auto workplace = Workplace::create(false);
  if (!workplace) {
    return fail(workplace.error());
  }
  Stage stage{.workplace = std::move(*workplace), .contenders = {}};
  struct Part {
    std::string draft;
    std::vector<std::pair<const char*, const char*>> policies;  // policy, label
  };
  const std::vector<Part> parts = {
      {models->draft, {{"", "target alone"}, {"static:4", "static:4, 3 M draft"}}},
      {models->small_draft, {{"static:4", "static:4, 1 M draft"}}}};
  for (const Part& part : parts) {
    ModelFlags files;
    files.target = models->target;
    files.draft = part.draft;
    const auto session = stage.workplace->open(files);
    if (!session) {
      return fail(session.error());
    }
    for (const auto& [policy, label] : part.policies) {
      auto contender = LocalContender::create(**session, policy, label, flags.local_tokens());
      if (!contender) {
        return fail(contender.error());
      }
      stage.contenders.push_back(std::move(*contender));
    }
  }
  return stage;
}

// What the colours mean, where there are colours.
std::string legend(const report::Terminal& terminal) {
  if (!terminal.colour) {
    return {};
  }
  return "; " + mark_origin("drafted and accepted", device::Origin::kAccepted, terminal) + ", " +
         mark_origin("corrected", device::Origin::kCorrection, terminal) + ", " +
         mark_origin("added after a draft accepted whole", device::Origin::kBonus, terminal);
}

// Each prompt and its text, as the first speculative contender writes it.
Result<void> show_texts(const Stage& stage, const ComparisonPlan& plan, Output& out,
                        const report::Terminal& terminal) {
  LocalContender& writer = *stage.contenders[1];
  out.write(fmt::format("Written by {}", writer.label()) + legend(terminal) + ":\n\n");
  for (const std::string& prompt : plan.prompts) {
    out.write(report::paint(prompt, report::Style::kStrong, terminal));
    TextSink sink(writer.session().target(), {}, &out);
    if (terminal.colour) {
      sink.show_origin(terminal);
    }
    const auto written = writer.generate(prompt, sink);
    out.write("\n\n");
    if (!written) {
      return fail(written.error());
    }
    if (interrupted()) {
      return fail(ErrorCode::kCancelled, "interrupted before anything was measured");
    }
    if (auto shown = out.status(); !shown) {
      return shown;
    }
  }
  return {};
}

Result<std::vector<Row>> measure(const Stage& stage, const ComparisonPlan& plan) {
  const std::vector<Contender*> contenders = stage.all();
  std::uint64_t done = 0;
  report::Progress progress("measuring", plan.steps(contenders.size()),
                            report::terminal_of(STDERR_FILENO), stage.workplace->clock(),
                            [](std::string_view text) { Output(STDERR_FILENO).write(text); });
  return compare(contenders, plan, [&] { progress.update(++done); });
}

// Errors: kInternal when a text is not the target's.
Result<std::string> check_texts(const Stage& stage, const ComparisonPlan& plan,
                                const std::vector<Row>& rows) {
  std::string note = "Every policy wrote exactly the text that the target writes alone.\n";
  for (std::size_t i = 1; i < rows.size(); ++i) {
    const auto match = match_texts(stage.contenders[i]->session(), plan, rows.front(), rows[i]);
    if (!match) {
      return fail(match.error());
    }
    if (match->agreement == Agreement::kDifferent) {
      return fail(ErrorCode::kInternal,
                  fmt::format("{} wrote another text than the target alone, from token {} on",
                              rows[i].label, match->position));
    }
    if (match->agreement == Agreement::kNearTie) {
      note = fmt::format(
          "{} wrote what the target writes alone up to token {}, where the target's "
          "two best tokens are {:.2f} apart, within rounding.\n",
          rows[i].label, match->position, match->logit_gap);
    }
  }
  return note;
}

// Where the text of a row, of `wanted` tokens, is not the target's though it should be: near a tie,
// or wrong. Empty if it is the target's. The row of the draft alone is not looked at. Errors:
// kInternal for a wrong text.
Result<std::string> check_link_text(const Stage& stage, const ComparisonPlan& plan,
                                    const Row& alone, const LinkRow& row, std::uint32_t wanted) {
  const device::LocalSession& session = stage.contenders.front()->session();
  for (std::size_t i = 0; !row.by_draft_alone() && i < row.texts.size(); ++i) {
    const std::string& other = row.texts[i];
    const std::span<const spec::Token> tokens =
        std::span(alone.texts[i].tokens)
            .first(std::min<std::size_t>(alone.texts[i].tokens.size(), wanted));
    // The target's tokens as far as the other text goes along.
    std::string text;
    std::size_t same = 0;
    for (; same < tokens.size(); ++same) {
      session.target().append_piece(tokens[same], text);
      if (!other.starts_with(text)) {
        break;
      }
    }
    if (other == text || other == alone.texts[i].text) {
      continue;
    }
    const auto prompt = session.tokenize(plan.prompts[i], false);
    if (!prompt) {
      return fail(prompt.error());
    }
    const auto match = match_greedy(session.target(), *prompt, tokens, tokens.first(same));
    if (!match) {
      return fail(match.error());
    }
    if (match->agreement != Agreement::kNearTie) {
      return fail(
          ErrorCode::kInternal,
          fmt::format("{} over the link wrote another text than the target alone, from token "
                      "{} on",
                      row.policy, same));
    }
    return fmt::format(
        "{} over the link wrote what the target writes alone up to token {}, where the target's "
        "two "
        "best tokens are {:.2f} apart, within rounding.\n",
        row.policy, same, match->logit_gap);
  }
  return std::string();
}

// Bytes of the first text's first `tokens` tokens, as the target writes them alone.
std::size_t expected_bytes(const Stage& stage, const Row& alone, std::uint32_t tokens) {
  std::string text;
  const auto& written = alone.texts.front().tokens;
  for (std::size_t i = 0; i < std::min<std::size_t>(written.size(), tokens); ++i) {
    stage.contenders.front()->session().target().append_piece(written[i], text);
  }
  return text.size();
}

// A bar for each row in turn, as its text grows. One that ends at once, or that is another text
// than the target's, may jump at its end.
class LinkProgress {
 public:
  LinkProgress(std::size_t text_bytes, const Clock& clock)
      : text_bytes_(std::max<std::size_t>(text_bytes, 1)), clock_(&clock) {}

  void show(const LinkStep& step) {
    if (!bar_ || step.row != row_) {
      row_ = step.row;
      const report::Terminal terminal = report::terminal_of(STDERR_FILENO);
      const int width = terminal.interactive ? 13 : 0;  // bars begin below each other
      bar_ = std::make_unique<report::Progress>(
          fmt::format("{:<{}} bytes", LinkComparison::policies()[row_], width), text_bytes_,
          terminal, *clock_, [](std::string_view text) { Output(STDERR_FILENO).write(text); });
    }
    bar_->update(step.ended ? text_bytes_ : std::min(step.written, text_bytes_ - 1));
  }

 private:
  std::size_t text_bytes_;
  const Clock* clock_;
  std::size_t row_ = 0;
  std::unique_ptr<report::Progress> bar_;
};

// The same policies with the target at an edge behind a link.
struct LinkPart {
  LinkPlan plan;
  std::vector<LinkRow> rows;
  std::string notes;
};

Result<LinkPart> measure_link(const Stage& stage, const DemoFlags& flags,
                              const ComparisonPlan& plan, const Row& alone) {
  LinkPart part{.plan = flags.link, .rows = {}, .notes = {}};
  part.plan.target = stage.contenders[1]->session().target().info().path;
  part.plan.draft = stage.contenders[1]->session().draft()->info().path;
  part.plan.prompts = {plan.prompts.front()};
  part.plan.tokens = flags.tokens > 0 ? flags.tokens : part.plan.tokens;
  const Clock& clock = stage.workplace->clock();
  const auto comparison = LinkComparison::create(part.plan, clock);
  if (!comparison) {
    return fail(comparison.error());
  }
  LinkProgress progress(expected_bytes(stage, alone, part.plan.tokens), clock);
  auto rows = (*comparison)->measure([&](const LinkStep& step) { progress.show(step); });
  if (!rows) {
    return fail(rows.error());
  }
  part.rows = std::move(*rows);
  for (const LinkRow& row : part.rows) {
    const auto note = check_link_text(stage, plan, alone, row, part.plan.tokens);
    if (!note) {
      return fail(note.error());
    }
    part.notes += *note;
  }
  return part;
}

Result<void> write_result(const Stage& stage, const DemoFlags& flags, const ComparisonPlan& plan,
                          const std::vector<Row>& rows, const LinkPart& link) {
  const auto manifest = describe_run(stage.contenders[1]->session(), 0);
  const auto small =
      report::describe_model(stage.contenders.back()->session().draft()->info().path);
  if (!manifest || !small) {
    return fail(manifest ? small.error() : manifest.error());
  }
  report::RunManifest models = *manifest;
  models.models["small_draft"] = *small;
  nlohmann::json result = report::to_json(models);
  for (const Row& row : rows) {
    result["rows"].push_back(to_json(row, rows.front()));
  }
  for (std::size_t i = 0; i < plan.prompts.size(); ++i) {
    const std::string& text = rows.front().texts[i].text;
    const auto digest = report::sha256(text);
    if (!digest) {
      return fail(digest.error());
    }
    result["texts"].push_back(
        {{"prompt", plan.prompts[i]}, {"output", text}, {"output_sha256", *digest}});
  }
  if (!link.rows.empty()) {
    result["link"] = link.plan.link;
    result["pace"] = link.plan.pace;
    result["edge_pass_s"] = link.plan.edge_pass_s;
    result["energy_source"] = "model:" + link.plan.pace;
  }
  for (const LinkRow& row : link.rows) {
    result["link_rows"].push_back(to_json(row));
  }
  return report::write_json(flags.json, result);
}

Result<void> demo(const DemoFlags& flags) {
  if (auto ok = check_json(flags.json); !ok) {
    return ok;
  }
  const auto stage = set_stage(flags);
  if (!stage) {
    return fail(stage.error());
  }
  const ComparisonPlan plan{.prompts = builtin_prompts(), .repetitions = flags.repetitions};
  const int text_to = text_descriptor(flags.json);
  const report::Terminal terminal = report::terminal_of(text_to);
  Output out(text_to);
  if (auto ok = show_texts(*stage, plan, out, terminal); !ok) {
    return ok;
  }
  const auto rows = measure(*stage, plan);
  if (!rows) {
    return fail(rows.error());
  }
  const auto checked = check_texts(*stage, plan, *rows);
  if (!checked) {
    return fail(checked.error());
  }
  out.write(*checked + "\n" + comparison_table(*rows, rows->front(), terminal) + "\n" +
            explain(*rows, rows->front()));
  LinkPart link{};
  if (!flags.no_link && out.status()) {
    auto measured = measure_link(*stage, flags, plan, rows->front());
    if (!measured) {
      return fail(measured.error());
    }
    link = std::move(*measured);
    out.write("\nAn edge and a device as two processes, over TLS and an emulated link:\n\n" +
              link_table(link.rows, link.plan, terminal) + "\n" + link.notes + explain(link.rows));
  }
  if (!flags.json.empty()) {
    if (auto ok = write_result(*stage, flags, plan, *rows, link); !ok) {
      return ok;
    }
  }
  return out.status();
}

}  // namespace

int demo_command(const std::vector<std::string>& arguments) {
  DemoFlags flags;
  CLI::App app(
      "Continue three prompts with the bundled models: the target alone and with two drafts, side "
      "by side; then with the target at an edge, a second process, behind an emulated link.",
      "gelato demo");
  set_up(app);
  app.add_option("-n,--predict", flags.tokens,
                 fmt::format("Tokens of each text (default: {}, over the link {})", kTokens,
                             flags.link.tokens))
      ->type_name("N")
      ->check(in_range(1, 512));
  app.add_option("--repetitions", flags.repetitions,
                 fmt::format("Measurements of each policy (default: {})", kRepetitions))
      ->type_name("N")
      ->check(in_range(1, 1000));
  auto* link =
      app.add_option("--link", flags.link.link,
                     fmt::format("The link between device and edge (default: {})", flags.link.link))
          ->type_name("LINK");
  app.add_option("--link-repetitions", flags.link.repetitions,
                 fmt::format("Measurements of each policy over the link (default: {})",
                             flags.link.repetitions))
      ->type_name("N")
      ->check(in_range(1, 1000));
  app.add_option("--pace", flags.link.pace,
                 fmt::format("Profile of the device over the link: time and joules of drafting "
                             "(default: {})",
                             flags.link.pace))
      ->type_name("PROFILE");
  app.add_option("--edge-pass", flags.link.edge_pass_s,
                 fmt::format("Emulated time of a pass of the edge; 0: as fast as it is (default: "
                             "{})",
                             flags.link.edge_pass_s))
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, 60.0, "SECONDS"));
  app.add_flag("--no-link", flags.no_link, "Without the edge and the link")->excludes(link);
  add_json_option(app, flags.json);
  app.footer("\nExample:\n  gelato demo --json demo.json\n");
  int exit_code = kSuccess;
  if (!parse(app, arguments, exit_code)) {
    return exit_code;
  }
  const auto ok = demo(flags);
  return ok ? kSuccess : print_error(ok.error());
}

}  // namespace gelato::cli
