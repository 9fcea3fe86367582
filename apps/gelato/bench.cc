// gelato bench: measured comparisons.
#include "gelato/bench.h"

#include <string>
#include <vector>

#include "gelato/cli.h"
#include "gelato/commands.h"

namespace gelato::cli {
namespace {

constexpr const char* kHelp =
    "Measured comparisons: all rows of a table take turns on this machine.\n"
    "Usage: gelato bench WHAT [OPTIONS]\n\n"
    "  local     target alone, drafts of several lengths, and llama.cpp's own speculative "
    "decoding\n"
    "  edge      many devices at one edge, against the bare llama.cpp loop\n"
    "  link      policies over an emulated link, live beside simulated\n\n"
    "`gelato bench WHAT --help` lists the options, with an example.\n";

}  // namespace

int bench_command(const std::vector<std::string>& arguments) {
  const std::string what = arguments.empty() ? "" : arguments[0];
  if (what == "local") {
    return bench_local_command({arguments.begin() + 1, arguments.end()});
  }
  if (what == "edge") {
    return bench_edge_command({arguments.begin() + 1, arguments.end()});
  }
  if (what == "edge-devices") {  // for `edge`, not for people
    return bench_edge_devices_command({arguments.begin() + 1, arguments.end()});
  }
  if (what == "link") {
    return bench_link_command({arguments.begin() + 1, arguments.end()});
  }
  if (what == "--help" || what == "-h") {
    return print(kHelp);
  }
  return print_error({ErrorCode::kInvalidArgument,
                      what.empty()
                          ? "gelato bench what? See gelato bench --help"
                          : "there is no benchmark \"" + what + "\"; see gelato bench --help"});
}

}  // namespace gelato::cli
