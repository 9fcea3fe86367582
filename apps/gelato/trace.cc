// gelato trace: what the draft model proposes along the target's own texts.
#include "gelato/trace.h"

#include <array>
#include <string>
#include <vector>

#include "gelato/cli.h"
#include "gelato/commands.h"

namespace gelato::cli {
namespace {

constexpr const char* kHelp =
    "Draft traces: what the draft model proposes at every position of the target's own texts.\n"
    "Usage: gelato trace WHAT [OPTIONS]\n\n"
    "  record    record one from two models and a file of prompts\n"
    "  info      what a trace holds\n"
    "  stats     acceptance by entropy with its fit, and sizes of top-p sets\n"
    "  export    every drafted token as CSV\n\n"
    "`gelato trace WHAT --help` lists the options, with an example.\n";

const std::array kParts = {
    Command{"record", "", trace_record_command},
    Command{"info", "", trace_info_command},
    Command{"stats", "", trace_stats_command},
    Command{"export", "", trace_export_command},
};

}  // namespace

int trace_command(const std::vector<std::string>& arguments) {
  const std::string what = arguments.empty() ? "" : arguments[0];
  if (what == "--help" || what == "-h") {
    return print(kHelp);
  }
  for (const Command& part : kParts) {
    if (part.name == what) {
      return part.run({arguments.begin() + 1, arguments.end()});
    }
  }
  return print_error({ErrorCode::kInvalidArgument,
                      what.empty()
                          ? "gelato trace what? See gelato trace --help"
                          : "gelato trace cannot \"" + what + "\"; see gelato trace --help"});
}

}  // namespace gelato::cli
