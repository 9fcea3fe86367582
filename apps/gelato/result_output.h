// --json, --html and --csv: where the result of a measurement or simulation goes.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "gelato/base/result.h"
#include "gelato/cli11_fwd.h"

namespace gelato::cli {

struct ResultFlags {
  std::string json;
  std::string html;
  std::string csv;

  void add_to(CLI::App& app);
  // Errors: those of report::check_output(); kInvalidArgument if two of them name standard output.
  [[nodiscard]] Result<void> check() const;
  [[nodiscard]] bool wanted() const { return !json.empty() || !html.empty() || !csv.empty(); }
  // Where the text for people goes: standard output, unless the result does.
  [[nodiscard]] int text_descriptor() const;
  // Errors: those of report::write_output().
  [[nodiscard]] Result<void> write(const nlohmann::json& result) const;
};

}  // namespace gelato::cli
