#include "gelato/link_options.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <utility>
#include <variant>

#include "gelato/cli.h"

namespace gelato::cli {

void LinkFlags::add_to(CLI::App& app) {
  app.add_option("--link", link,
                 "Emulate this link to the edge, such as rate=1mbit,delay=40ms,jitter=5ms,loss=1% "
                 "or a preset; see below")
      ->type_name("LINK");
}

Result<LinkModel> LinkFlags::read() const {
  auto spec = link::parse_link_spec(link);
  if (!spec) {
    return fail(spec.error());
  }
  LinkModel model{.spec = *std::move(spec), .trace = {}};
  if (const auto* replay = std::get_if<link::TraceReplay>(&model.spec.up)) {
    const auto text = read_input(replay->file, link::kMaxTraceBytes);
    auto parsed = text ? link::parse_trace(*text) : fail(text.error());
    if (!parsed) {
      return fail(parsed.error());
    }
    model.trace = std::move(*parsed);
  }
  return model;
}

Result<std::optional<link::LinkEmulator>> LinkFlags::make(std::uint64_t seed,
                                                          const Clock& clock) const {
  if (link.empty()) {
    return std::nullopt;
  }
  const auto model = read();
  if (!model) {
    return fail(model.error());
  }
  auto emulator = link::LinkEmulator::create(model->spec, model->trace, seed, clock.now());
  if (!emulator) {
    return fail(emulator.error());
  }
  return std::move(*emulator);
}

nlohmann::json link_json(const LinkFlags& flags) {
  return flags.link.empty() ? nlohmann::json() : nlohmann::json(flags.link);
}

}  // namespace gelato::cli
