// gelato bench link: policies live over an emulated link, beside the simulator's prediction.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "gelato/bench.h"
#include "gelato/cli.h"
#include "gelato/generation.h"
#include "gelato/link_bench_report.h"
#include "gelato/model_options.h"
#include "gelato/prompts.h"
#include "gelato/report/progress.h"

namespace gelato::cli {
namespace {

Result<void> complete(LinkBenchFlags& flags, const std::vector<std::string>& prompt_files) {
  if (flags.target.empty() != flags.draft.empty()) {
    return fail(ErrorCode::kInvalidArgument, "--model and --model-draft come together");
  }
  if (flags.target.empty()) {
    const auto bundled = find_bundled_models();
    if (!bundled) {
      return fail(bundled.error());
    }
    flags.target = bundled->target;
    flags.draft = bundled->draft;
  }
  for (const std::string& file : prompt_files) {
    auto text = read_prompt_file(file);
    if (!text) {
      return fail(text.error());
    }
    flags.prompts.push_back(std::move(*text));
  }
  if (flags.prompts.empty()) {
    flags.prompts = builtin_prompts();
  }
  if (flags.policies.empty()) {
    flags.policies = default_link_policies();
  }
  for (const std::string& policy : flags.policies) {
    if (const auto made = control::make_policy(policy); !made) {
      return fail(made.error());
    }
  }
  return {};
}

Result<nlohmann::json> result_of(const LinkBenchFlags& flags, const LinkBenchOutcome& outcome) {
  const auto manifest = describe_run({{"target", flags.target}, {"draft", flags.draft}}, 0);
  if (!manifest) {
    return fail(manifest.error());
  }
  nlohmann::json result = report::to_json(*manifest);
  result.update(to_json(flags, outcome));
  return result;
}

Result<void> bench_link(LinkBenchFlags flags, const std::vector<std::string>& prompt_files) {
  if (auto ok = flags.output.check(); !ok) {
    return ok;
  }
  if (auto ok = complete(flags, prompt_files); !ok) {
    return ok;
  }
  const SteadyClock clock;
  const auto log = make_stderr_log(LogLevel::kOff);
  const auto backend = engine::Backend::create(*log);
  if (!backend) {
    return fail(backend.error());
  }
  const auto bench = LinkBench::create(flags, **backend, clock, *log);
  if (!bench) {
    return fail(bench.error());
  }
  std::uint64_t done = 0;
  report::Progress progress("measuring", (*bench)->steps(), report::terminal_of(STDERR_FILENO),
                            clock,
                            [](std::string_view text) { Output(STDERR_FILENO).write(text); });
  const auto outcome = (*bench)->run([&] { progress.update(++done); });
  if (!outcome) {
    return fail(outcome.error());
  }
  const int text_to = flags.output.text_descriptor();
  Output out(text_to);
  out.write(render(flags, *outcome, report::terminal_of(text_to)));
  if (flags.output.wanted()) {
    const auto result = result_of(flags, *outcome);
    if (!result) {
      return fail(result.error());
    }
    if (auto ok = flags.output.write(*result); !ok) {
      return ok;
    }
  }
  return out.status();
}

void add_options(CLI::App& app, LinkBenchFlags& flags, std::vector<std::string>& prompt_files) {
  app.add_option("-m,--model", flags.target, "Target model, a GGUF file (default: the bundled one)")
      ->type_name("FILE");
  app.add_option("--model-draft", flags.draft, "Draft model, a GGUF file (-md)")->type_name("FILE");
  app.add_option("--policy", flags.policies,
                 "Policy to compare; may be repeated (default: all; gelato run --help lists them)")
      ->allow_extra_args(false)
      ->take_all()
      ->type_name("POLICY");
  app.add_option("--link", flags.link.link,
                 fmt::format("The link, emulated; see below (default: {})", flags.link.link))
      ->type_name("LINK");
  app.add_option("--devices", flags.devices,
                 "Devices that write at the same time, each with a link of its own (default: 1)")
      ->type_name("N")
      ->check(in_range(1, 64));
  app.add_option("--pace", flags.pace,
                 fmt::format("Device profile that gives the time of drafting and the joules "
                             "(default: {})",
                             flags.pace))
      ->type_name("PROFILE");
  app.add_option("--edge-pass", flags.edge_pass_s,
                 fmt::format("Emulated time of a pass of the edge over one token; 0: as fast as it "
                             "is (default: {})",
                             flags.edge_pass_s))
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, 60.0, "SECONDS"));
  app.add_option(
         "--edge-token", flags.edge_token_s,
         fmt::format("What each further token adds to it (default: {})", flags.edge_token_s))
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, 10.0, "SECONDS"));
  app.add_option("-p,--prompt", flags.prompts,
                 "Prompt; may be repeated (default: two stories and a question)")
      ->allow_extra_args(false)
      ->take_all()
      ->type_name("TEXT");
  app.add_option("-f,--file", prompt_files, "Read a prompt from a file; may be repeated")
      ->allow_extra_args(false)
      ->take_all()
      ->type_name("FILE");
  app.add_option("-n,--predict", flags.tokens,
                 fmt::format("Tokens of each text (default: {})", flags.tokens))
      ->type_name("N")
      ->check(in_range(1, 1U << 20U));
  app.add_option("--repetitions", flags.repetitions,
                 fmt::format("Measurements of each policy (default: {})", flags.repetitions))
      ->type_name("N")
      ->check(in_range(1, 1000));
  flags.output.add_to(app);
}

}  // namespace

int bench_link_command(const std::vector<std::string>& arguments) {
  LinkBenchFlags flags;
  std::vector<std::string> prompt_files;
  CLI::App app(
      "Policies live between a device and an edge over an emulated link, taking turns, and beside "
      "each what the simulator predicts of the same scenario. Joules are modelled.",
      "gelato bench link");
  set_up(app);
  add_options(app, flags, prompt_files);
  app.footer("Links:\n" + link::link_preset_help() +
             "\nExample:\n  gelato bench link --link lte --pace phone --edge-pass 0.04 --html "
             "link.html\n");
  int exit_code = kSuccess;
  if (!parse(app, arguments, exit_code)) {
    return exit_code;
  }
  const auto ok = bench_link(std::move(flags), prompt_files);
  return ok ? kSuccess : print_error(ok.error());
}

}  // namespace gelato::cli
