#include "gelato/remote_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "gelato/cli.h"
#include "gelato/model_options.h"

namespace gelato::cli {
namespace {

// PEM files of certificate chains have some kilobytes.
constexpr std::size_t kMaxCredentialBytes = std::size_t{1} << 20U;

// The content of a file, or nothing if none is named.
Result<std::string> read_optional(const std::string& path) {
  return path.empty() ? Result<std::string>("") : read_input(path, kMaxCredentialBytes);
}

Result<std::string> read_token(const std::string& path) {
  auto text = read_optional(path);
  if (!text) {
    return text;
  }
  const std::size_t last = text->find_last_not_of(" \t\r\n");
  text->resize(last == std::string::npos ? 0 : last + 1);
  if (text->empty() && !path.empty()) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{} holds no token", path));
  }
  return text;
}

std::optional<proto::WireMode> wire_mode(const std::string& name, const std::string& policy) {
  for (const auto mode : {proto::WireMode::kIds, proto::WireMode::kQRow, proto::WireMode::kDssd}) {
    if (name == to_string(mode)) {
      return mode;
    }
  }
  return policy.starts_with("dssd") ? std::optional(proto::WireMode::kDssd) : std::nullopt;
}

device::WhenOffline when_offline_of(const std::string& name) {
  return name == "stop"    ? device::WhenOffline::kStop
         : name == "draft" ? device::WhenOffline::kDraft
                           : device::WhenOffline::kWait;
}

std::string bytes_text(std::uint64_t bytes) {
  const double n = static_cast<double>(bytes);
  return bytes < 1000      ? fmt::format("{} B", bytes)
         : bytes < 1000000 ? fmt::format("{:.1f} kB", n / 1e3)
                           : fmt::format("{:.1f} MB", n / 1e6);
}

}  // namespace

void RemoteFlags::add_to(CLI::App& app) {
  app.add_option("--edge", edge, fmt::format("The edge server (default: {})", edge))
      ->type_name("HOST:PORT");
  app.add_option("--ca", ca,
                 "Trust certificates signed by one of these, PEM (default: the system's)")
      ->type_name("FILE");
  app.add_option("--cert", cert, "Certificate of this device, PEM, for an edge that asks for one")
      ->type_name("FILE");
  app.add_option("--key", key, "Its private key, PEM")->type_name("FILE");
  app.add_option("--token-file", token_file, "Show the token in this file")->type_name("FILE");
  app.add_flag("--insecure", insecure,
               "No TLS; on this machine's loopback there is none unless --ca or --cert is given");
  app.add_option("--wire", wire,
                 "How drafts travel: ids (greedy), qrow or dssd (sampling); auto (default): ids or "
                 "qrow, and dssd with that policy")
      ->check(CLI::IsMember({"auto", "ids", "qrow", "dssd"}))
      ->type_name("MODE");
  app.add_option("--when-offline", when_offline,
                 "While the edge is out of reach: stop, wait (default), or let the draft model "
                 "write alone, which is marked and not the target's text: draft")
      ->check(CLI::IsMember({"stop", "wait", "draft"}))
      ->type_name("WHAT");
  app.add_option("--give-up", give_up_s,
                 fmt::format("Wait no longer than this for the edge (default: {:g})", give_up_s))
      ->check(CLI::Range(0.0, 86400.0))
      ->type_name("SECONDS");
  app.add_option("--answer-timeout", answer_timeout_s,
                 fmt::format("Take the edge for gone when an answer takes longer (default: {:g})",
                             answer_timeout_s))
      ->check(CLI::Range(0.01, 3600.0))
      ->type_name("SECONDS");
  link.add_to(app);
  app.add_option("--model-draft", draft, "Draft model, a GGUF file (-md; default: the bundled one)")
      ->type_name("FILE");
  app.add_option("-c,--ctx-size", context_tokens,
                 "Context of the draft in tokens (default: the model's, at most the edge's)")
      ->type_name("N")
      ->check(in_range(1, 1LL << 30U));
  app.add_option("-t,--threads", threads,
                 "Threads of the draft (default: all cores; 1 for a model below 64 MiB)")
      ->type_name("N")
      ->check(in_range(1, 512));
  app.add_option("--gpu-layers", gpu_layers,
                 "Layers of the draft on a GPU (-ngl; default: all that fit)")
      ->type_name("N");
  app.add_flag("-v,--verbose", verbose, "Show what llama.cpp logs");
}

Result<device::RemoteSessionOptions> RemoteFlags::options(const std::string& policy,
                                                          std::uint64_t seed,
                                                          const Clock& clock) const {
  device::RemoteSessionOptions out;
  out.edge.endpoint = edge;
  for (const auto& [path, text] :
       {std::pair{&ca, &out.edge.ca}, std::pair{&cert, &out.edge.certificate},
        std::pair{&key, &out.edge.key}}) {
    auto content = read_optional(*path);
    if (!content) {
      return fail(content.error());
    }
    *text = std::move(*content);
  }
  auto token = read_token(token_file);
  if (!token) {
    return fail(token.error());
  }
  out.edge.token = std::move(*token);
  out.edge.insecure =
      insecure || (ca.empty() && cert.empty() && key.empty() && device::is_loopback(edge));
  if (auto ok = device::check(out.edge); !ok) {
    return fail(ok.error());
  }
  out.remote.when_offline = when_offline_of(when_offline);
  out.remote.reconnect.give_up = Seconds(give_up_s);
  out.remote.answer_timeout = Seconds(answer_timeout_s);
  out.remote.interrupted = interrupted;
  out.mode = wire_mode(wire, policy);
  auto emulated = link.make(seed, clock);
  if (!emulated) {
    return fail(emulated.error());
  }
  out.link = std::move(*emulated);
  out.draft_path = draft;
  if (draft.empty()) {
    const auto bundled = find_bundled_models();
    if (!bundled) {
      return fail(bundled.error());
    }
    out.draft_path = bundled->draft;
  }
  out.context_tokens = context_tokens;
  out.threads = threads;
  out.gpu_layers = gpu_layers;
  return out;
}

nlohmann::json to_json(const device::RemoteUsage& usage) {
  const auto known = [](const auto& estimate) {
    return estimate.known() ? nlohmann::json(estimate.value.value()) : nlohmann::json();
  };
  return {{"uplink_bytes", usage.wire.up},
          {"downlink_bytes", usage.wire.down},
          {"uplink_message_bytes", usage.messages.up_bytes},
          {"downlink_message_bytes", usage.messages.down_bytes},
          {"edge_passes", usage.edge.passes},
          {"edge_busy_s", usage.edge.busy.value()},
          {"edge_queue_s", usage.edge.queued.value()},
          {"edge_prompt_tokens_reused", usage.edge.prompt_tokens_reused},
          {"link_losses", usage.edge.losses},
          {"link_away_s", usage.edge.away.value()},
          {"link_rtt_s", known(usage.link.rtt)},
          {"link_uplink_bps", known(usage.link.uplink)}};
}

nlohmann::json to_json(const proto::ServerInfo& edge) {
  return {{"file", edge.model.name},
          {"description", edge.model.description},
          {"fingerprint", fmt::format("{:016x}", edge.model.fingerprint)},
          {"edge_version", edge.version}};
}

std::string usage_line(const device::RemoteUsage& usage) {
  std::string line = fmt::format("up {}, down {}, {} passes at the edge", bytes_text(usage.wire.up),
                                 bytes_text(usage.wire.down), usage.edge.passes);
  if (usage.link.rounds > 0) {
    line += fmt::format(", round trip {:.1f} ms", usage.link.rtt.value.value() * 1e3);
  }
  if (usage.edge.losses > 0) {
    line += fmt::format(", out of reach {} times, {:.1f} s in all", usage.edge.losses,
                        usage.edge.away.value());
  }
  return line;
}

}  // namespace gelato::cli
