// gelato: one binary, one file per subcommand.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <exception>
#include <string>
#include <vector>

#include "gelato/base/result.h"
#include "gelato/cli.h"
#include "gelato/commands.h"
#include "gelato/report/manifest.h"

namespace {

using gelato::cli::Command;

const std::array kCommands = {
    Command{"run", "generate text on this machine, target alone or with a draft model",
            gelato::cli::run_command},
    Command{"device", "generate with a draft model here and a target at an edge",
            gelato::cli::device_command},
    Command{"edge", "verify drafts for many devices (server)", gelato::cli::edge_command},
    Command{"demo", "the bundled models on three prompts, target alone and speculative",
            gelato::cli::demo_command},
    Command{"bench", "measured comparisons: gelato bench local", gelato::cli::bench_command},
    Command{"sim", "replay traces through policies, links and devices", gelato::cli::sim_command},
    Command{"trace", "record and inspect what the draft proposes: gelato trace record",
            gelato::cli::trace_command},
    Command{"report", "a result of another command as a page with plots, or as CSV",
            gelato::cli::report_command},
    Command{"doctor", "what works on this machine", gelato::cli::doctor_command},
};

std::string help() {
  std::string text =
      "gelato: speculative decoding between a device and a nearby edge server\n\n"
      "Usage: gelato COMMAND [OPTIONS]\n\nCommands:\n";
  for (const Command& command : kCommands) {
    text += "  ";
    text += command.name;
    text.append(10 - std::min<std::size_t>(9, command.name.size()), ' ');
    text += command.summary;
    text += '\n';
  }
  return text +
         "\n`gelato COMMAND --help` lists the options of a command, with an example.\n"
         "`gelato --version` prints the version.\n";
}

int dispatch(const std::vector<std::string>& arguments) {
  if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "-h" ||
      arguments[0] == "help") {
    return gelato::cli::print(help());
  }
  if (arguments[0] == "--version") {
    return gelato::cli::print("gelato " + std::string(gelato::report::version()) + "\n");
  }
  const auto command = std::find_if(kCommands.begin(), kCommands.end(),
                                    [&](const Command& c) { return c.name == arguments[0]; });
  if (command == kCommands.end()) {
    return gelato::cli::print_error(
        {gelato::ErrorCode::kInvalidArgument,
         "there is no command \"" + arguments[0] + "\"; see gelato --help"});
  }
  return command->run({arguments.begin() + 1, arguments.end()});
}

}  // namespace

int main(int argc, char** argv) {
  gelato::cli::reserve_standard_descriptors();
  gelato::cli::catch_signals();
  // The libraries report failures as values; what is caught here is memory running out, or a bug.
  try {
    return dispatch({argv + 1, argv + argc});
  } catch (const std::exception& e) {
    return gelato::cli::print_error({gelato::ErrorCode::kInternal, e.what()});
  }
}
