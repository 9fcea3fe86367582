// gelato bench edge-devices: one process of the devices of `gelato bench edge`, which starts it and
// speaks to it as load_wire.h says.
#include <fmt/format.h>
#include <unistd.h>

#include <iostream>
#include <string>
#include <string_view>

#include "gelato/bench.h"
#include "gelato/cli.h"
#include "gelato/engine/backend.h"
#include "gelato/load_wire.h"

namespace gelato::cli {
namespace {

Result<void> answer(std::string_view line) {
  Output out(STDOUT_FILENO);
  out.write(fmt::format("{}\n", line));
  return out.status();
}

// The next line of the input; false at its end.
bool hear(std::string& line) { return static_cast<bool>(std::getline(std::cin, line)); }

Result<void> take_turn(EdgeLoad& load) {
  if (auto ok = load.begin(); !ok) {
    return ok;
  }
  if (auto ok = answer(kUnderWay); !ok) {
    return ok;
  }
  std::string line;
  if (!hear(line) || line != kEnd) {
    return fail(ErrorCode::kCancelled, "the benchmark is gone");
  }
  const auto seen = load.end();
  return seen ? answer(to_line(*seen)) : fail(seen.error());
}

Result<void> be_devices(const std::string& draft_path) {
  std::string line;
  hear(line);
  auto plan = plan_of(line);
  if (!plan) {
    return fail(plan.error());
  }
  const SteadyClock clock;
  const auto log = make_stderr_log(LogLevel::kOff);
  const auto backend = engine::Backend::create(*log);
  if (!backend) {
    return fail(backend.error());
  }
  const auto draft = engine::LanguageModel::load(**backend, draft_path, {.progress = {}});
  if (!draft) {
    return fail(draft.error());
  }
  const auto load = EdgeLoad::create(std::move(*plan), **draft, clock, *log);
  if (!load) {
    return fail(load.error());
  }
  if (auto ok = answer(kReady); !ok) {
    return ok;
  }
  while (hear(line) && line == kBegin) {
    if (auto ok = take_turn(**load); !ok) {
      return ok;
    }
  }
  return {};
}

}  // namespace

int bench_edge_devices_command(const std::vector<std::string>& arguments) {
  if (arguments.size() != 1) {
    return print_error({ErrorCode::kInvalidArgument,
                        "edge-devices takes a draft model, and a plan on standard input; `gelato "
                        "bench edge` starts it"});
  }
  const auto ok = be_devices(arguments[0]);
  return ok ? kSuccess : print_error(ok.error());
}

}  // namespace gelato::cli
