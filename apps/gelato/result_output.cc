#include "gelato/result_output.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "gelato/cli.h"
#include "gelato/report/html.h"
#include "gelato/report/output.h"
#include "gelato/report/result_table.h"

namespace gelato::cli {

void ResultFlags::add_to(CLI::App& app) {
  add_json_option(app, json);
  app.add_option("--html", html, "Write the result as a page with plots; -: standard output")
      ->type_name("FILE");
  app.add_option("--csv", csv, "Write the rows as comma-separated values; -: standard output")
      ->type_name("FILE");
}

Result<void> ResultFlags::check() const {
  const std::array places = {json, html, csv};
  if (std::count(places.begin(), places.end(), "-") > 1) {
    return fail(ErrorCode::kInvalidArgument,
                "only one of --json, --html and --csv can go to standard output");
  }
  for (const std::string& place : places) {
    if (auto ok = check_json(place); !ok) {
      return ok;
    }
  }
  return {};
}

int ResultFlags::text_descriptor() const {
  return json == "-" || html == "-" || csv == "-" ? STDERR_FILENO : STDOUT_FILENO;
}

Result<void> ResultFlags::write(const nlohmann::json& result) const {
  if (!json.empty()) {
    if (auto ok = report::write_json(json, result); !ok) {
      return ok;
    }
  }
  if (!html.empty()) {
    if (auto ok = report::write_output(html, report::render_html(result)); !ok) {
      return ok;
    }
  }
  return csv.empty() ? Result<void>{} : report::write_output(csv, report::render_csv(result));
}

}  // namespace gelato::cli
