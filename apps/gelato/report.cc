// gelato report: a result's JSON as a page, as CSV, or on the terminal.
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "gelato/cli.h"
#include "gelato/commands.h"
#include "gelato/report/overview.h"
#include "gelato/report/result_table.h"
#include "gelato/report/terminal.h"
#include "gelato/result_output.h"

namespace gelato::cli {
namespace {

Result<void> show(const std::string& file, const ResultFlags& flags) {
  if (auto ok = flags.check(); !ok) {
    return ok;
  }
  const auto text = read_input(file, report::kMaxResultBytes);
  if (!text) {
    return fail(text.error());
  }
  const auto result = report::parse_result(*text, file == "-" ? "standard input" : file);
  if (!result) {
    return fail(result.error());
  }
  if (flags.wanted()) {
    return flags.write(*result);
  }
  const int descriptor = flags.text_descriptor();
  Output out(descriptor);
  out.write(report::render_overview(*result, report::terminal_of(descriptor)));
  return out.status();
}

}  // namespace

int report_command(const std::vector<std::string>& arguments) {
  std::string file;
  ResultFlags flags;
  CLI::App app(
      "Show a result that another command wrote with --json: as an overview here, as a page with "
      "plots, or as CSV.",
      "gelato report");
  set_up(app);
  app.add_option("RESULT", file, "The result, a JSON file; -: standard input")->required();
  flags.add_to(app);
  app.footer("\nExample:\n  gelato report bench.json --html bench.html\n");
  int exit_code = kSuccess;
  if (!parse(app, arguments, exit_code)) {
    return exit_code;
  }
  const auto ok = show(file, flags);
  return ok ? kSuccess : print_error(ok.error());
}

}  // namespace gelato::cli
