// gelato bench local: speculation in one process, against the target alone and against llama.cpp's
// own speculative decoding.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "gelato/bench.h"
#include "gelato/bench_entries.h"
#include "gelato/cli.h"
#include "gelato/comparison_report.h"
#include "gelato/generation.h"
#include "gelato/prompts.h"
#include "gelato/report/progress.h"
#include "gelato/result_output.h"

namespace gelato::cli {
namespace {

Result<std::vector<std::string>> read_prompts(const BenchFlags& flags) {
  std::vector<std::string> prompts = flags.prompts;
  for (const std::string& file : flags.prompt_files) {
    auto text = read_prompt_file(file);
    if (!text) {
      return fail(text.error());
    }
    prompts.push_back(std::move(*text));
  }
  for (const std::string& prompt : prompts) {
    if (prompt.empty()) {
      return fail(ErrorCode::kInvalidArgument, "a prompt is empty");
    }
  }
  return prompts.empty() ? builtin_prompts() : prompts;
}

Result<Outcome> measure(const BenchFlags& flags, const ComparisonPlan& plan,
                        device::LocalSession& session, const Clock& clock) {
  const auto peer = usable_peer(flags, session, clock, plan.prompts.front());
  if (!peer) {
    return fail(peer.error());
  }
  auto entries = bench_entries(flags, session, *peer, clock);
  if (!entries) {
    return fail(entries.error());
  }
  std::vector<Contender*> contenders;
  for (const Entry& entry : *entries) {
    contenders.push_back(entry.contender.get());
  }
  std::uint64_t done = 0;
  report::Progress progress("measuring", plan.steps(contenders.size()),
                            report::terminal_of(STDERR_FILENO), clock,
                            [](std::string_view text) { Output(STDERR_FILENO).write(text); });
  auto rows = compare(contenders, plan, [&] { progress.update(++done); });
  if (!rows) {
    return fail(rows.error());
  }
  return Outcome{.entries = std::move(*entries), .rows = std::move(*rows)};
}

// How the text of each row compares with the target's. Another program gives its output only: it
// must hold the same text.
Result<std::vector<Agreement>> check_texts(const Outcome& outcome, const ComparisonPlan& plan,
                                           const device::LocalSession& session) {
  std::vector<Agreement> out;
  for (std::size_t i = 0; i < outcome.rows.size(); ++i) {
    const Row& row = outcome.rows[i];
    if (outcome.entries[i].engine == kPeer) {
      bool same = true;
      for (std::size_t p = 0; p < plan.prompts.size(); ++p) {
        same = same && row.texts[p].text.find(outcome.alone().texts[p].text) != std::string::npos;
      }
      out.push_back(same ? Agreement::kIdentical : Agreement::kDifferent);
      continue;
    }
    const auto match = match_texts(session, plan, outcome.alone(), row);
    if (!match) {
      return fail(match.error());
    }
    out.push_back(match->agreement);
  }
  return out;
}

// All of our measurements together.
double outside_decode(const Outcome& outcome) {
  std::vector<double> values;
  for (const Row& row : outcome.rows) {
    for (const Measurement& m : row.repetitions) {
      values.push_back(m.outside_decode());  // NaN for the peer, which a Summary leaves out
    }
  }
  return report::Summary(std::move(values)).median();
}

Result<nlohmann::json> result_of(const BenchFlags& flags, const ComparisonPlan& plan,
                                 const Outcome& outcome, const std::vector<Agreement>& agreements,
                                 const device::LocalSession& session) {
  const auto manifest = describe_run(session, 0);
  if (!manifest) {
    return fail(manifest.error());
  }
  nlohmann::json result = report::to_json(*manifest);
  result["benchmark"] = "local";
  result["repetitions"] = outcome.alone().repetitions.size();
  result["predict"] = flags.tokens;
  result["context_tokens"] = session.context_tokens();
  result["threads"] = {{"target", session.target_threads()}, {"draft", session.draft_threads()}};
  result["prompts"] = plan.prompts;
  result["outside_decode_fraction"] = outside_decode(outcome);
  result["speedup_vs_target"] = nlohmann::json::object();
  result["ratio_vs_llama_speculative_simple"] =
      outcome.has_peer() ? nlohmann::json::object() : nlohmann::json();
  for (std::size_t i = 0; i < outcome.rows.size(); ++i) {
    const Entry& entry = outcome.entries[i];
    nlohmann::json row = to_json(outcome.rows[i], outcome.alone());
    row["engine"] = entry.engine;
    row["policy"] = entry.policy;
    row["gamma"] = entry.gamma ? nlohmann::json(*entry.gamma) : nlohmann::json();
    row["text_vs_target"] = to_string(agreements[i]);
    if (entry.engine == kOurs && entry.gamma) {
      const std::string gamma = std::to_string(*entry.gamma);
      result["speedup_vs_target"][gamma] = row["speedup_vs_target"];
      if (outcome.has_peer()) {
        result["ratio_vs_llama_speculative_simple"][gamma] = to_json(outcome.relative_to_peer(i));
      }
    }
    result["rows"].push_back(std::move(row));
  }
  return result;
}

std::string report_text(const Outcome& outcome, const report::Terminal& terminal) {
  std::vector<ExtraColumn> more;
  if (outcome.has_peer()) {
    more.push_back({"x llama.cpp", [&](std::size_t i) {
                      return report::number(outcome.relative_to_peer(i).median(), 2);
                    }});
  }
  more.push_back({"outside decode", [&](std::size_t i) {
                    return percent(outcome.rows[i].summary(&Measurement::outside_decode).median());
                  }});
  return comparison_table(outcome.rows, outcome.alone(), terminal, more) + "\n" +
         explain(outcome.rows, outcome.alone());
}

// Errors: kInternal when a text of ours is not the target's.
Result<void> judge(const Outcome& outcome, const std::vector<Agreement>& agreements) {
  Output messages(STDERR_FILENO);
  for (std::size_t i = 0; i < agreements.size(); ++i) {
    const std::string& label = outcome.rows[i].label;
    if (agreements[i] == Agreement::kDifferent && outcome.entries[i].engine == kOurs) {
      return fail(ErrorCode::kInternal,
                  fmt::format("{} wrote another text than the target alone", label));
    }
    if (agreements[i] != Agreement::kIdentical) {
      messages.write(
          fmt::format("gelato: note: the text of \"{}\" is not the target's everywhere: "
                      "its two best tokens were too close to call\n",
                      label));
    }
  }
  return {};
}

Result<void> bench_local(const BenchFlags& flags) {
  if (auto ok = flags.output.check(); !ok) {
    return ok;
  }
  if (!flags.models.has_draft()) {
    return fail(ErrorCode::kInvalidArgument,
                "there is no draft model to compare with; name one with --model-draft");
  }
  for (const std::string& policy : flags.policies) {
    if (const auto made = control::make_policy(policy); !made) {
      return fail(made.error());
    }
  }
  auto prompts = read_prompts(flags);
  if (!prompts) {
    return fail(prompts.error());
  }
  const ComparisonPlan plan{.prompts = std::move(*prompts), .repetitions = flags.repetitions};
  const auto workplace = Workplace::create(flags.models.verbose);
  if (!workplace) {
    return fail(workplace.error());
  }
  const auto opened = (*workplace)->open(flags.models);
  if (!opened) {
    return fail(opened.error());
  }
  device::LocalSession& session = **opened;
  const auto outcome = measure(flags, plan, session, (*workplace)->clock());
  if (!outcome) {
    return fail(outcome.error());
  }
  const auto agreements = check_texts(*outcome, plan, session);
  if (!agreements) {
    return fail(agreements.error());
  }
  const int text_to = flags.output.text_descriptor();
  Output out(text_to);
  out.write(report_text(*outcome, report::terminal_of(text_to)));
  if (flags.output.wanted()) {
    const auto result = result_of(flags, plan, *outcome, *agreements, session);
    if (!result) {
      return fail(result.error());
    }
    if (auto ok = flags.output.write(*result); !ok) {
      return ok;
    }
  }
  if (auto ok = judge(*outcome, *agreements); !ok) {
    return ok;
  }
  return out.status();
}

}  // namespace

int bench_local_command(const std::vector<std::string>& arguments) {
  BenchFlags flags;
  CLI::App app(
      "Measure, taking turns: the target alone, drafts of several lengths, and llama.cpp's own "
      "speculative decoding. Rates are tokens per second after the prompt was read; greedy.",
      "gelato bench local");
  set_up(app);
  flags.models.add_to(app);
  app.add_option("-p,--prompt", flags.prompts,
                 "Prompt; may be repeated (default: two stories and a question)")
      ->allow_extra_args(false)
      ->take_all()
      ->type_name("TEXT");
  app.add_option("-f,--file", flags.prompt_files, "Read a prompt from a file; may be repeated")
      ->allow_extra_args(false)
      ->take_all()
      ->type_name("FILE");
  app.add_option("-n,--predict", flags.tokens, "Tokens of each text (default: 128)")
      ->type_name("N")
      ->check(in_range(1, 1U << 20U));
  app.add_option("--repetitions", flags.repetitions, "Measurements of each row (default: 5)")
      ->type_name("N")
      ->check(in_range(1, 1000));
  app.add_option("--gamma", flags.gammas, "Draft lengths to compare (default: 1,2,4,8)")
      ->type_name("N,...")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->take_all()
      ->check(in_range(1, control::kMaxDraftLength));
  app.add_option("--policy", flags.policies,
                 "Another policy to compare (gelato run --help lists them); may be repeated")
      ->allow_extra_args(false)
      ->take_all()
      ->type_name("POLICY");
  auto* peer = app.add_option("--peer", flags.peer,
                              "llama.cpp's llama-speculative-simple (default: the one that `make "
                              "peers` builds, if it is there)")
                   ->type_name("FILE");
  app.add_flag("--no-peer", flags.no_peer, "Leave llama.cpp's program out")->excludes(peer);
  flags.output.add_to(app);
  app.footer("\nExample:\n  gelato bench local --gamma 2,4 -n 64 --json bench.json\n");
  int exit_code = kSuccess;
  if (!parse(app, arguments, exit_code)) {
    return exit_code;
  }
  const auto ok = bench_local(flags);
  return ok ? kSuccess : print_error(ok.error());
}

}  // namespace gelato::cli
