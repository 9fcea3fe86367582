// gelato edge: verify drafts for many devices.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gelato/base/clock.h"
#include "gelato/base/log.h"
#include "gelato/cli.h"
#include "gelato/commands.h"
#include "gelato/edge/edge_server.h"
#include "gelato/edge/paced_target.h"
#include "gelato/engine/backend.h"
#include "gelato/engine/context.h"
#include "gelato/model_options.h"
#include "gelato/report/manifest.h"

namespace gelato::cli {
namespace {

struct EdgeFlags {
  std::string model;
  std::uint32_t cells = 0;            // 0: kDefaultCells, or what the sessions can use
  std::uint32_t session_context = 0;  // 0: the model's
  std::uint32_t threads = 0;
  std::int32_t gpu_layers = -1;
  std::uint32_t batch_tokens = 512;
  edge::ServerOptions server;
  double lease_s = 30.0;
  double idle_s = 300.0;
  double drain_s = 30.0;
  double pace_pass_s = 0.0;
  double pace_token_s = 0.0;
  bool verbose = false;
};

// 16 conversations of 1024 tokens; a model of 7 billion parameters takes 1 to 2 GB for them.
constexpr std::uint32_t kDefaultCells = 16384;
// Rows of logits in one batch: at a vocabulary of 150 000 tokens these take 150 MB.
constexpr std::uint32_t kMaxRows = 256;

void add_options(CLI::App& app, EdgeFlags& flags) {
  edge::ServerOptions& server = flags.server;
  edge::SchedulerOptions& scheduler = server.scheduler;
  app.add_option("-m,--model", flags.model, "Target model, a GGUF file (default: the bundled one)")
      ->type_name("FILE");
  app.add_option(
         "--listen", server.listen,
         fmt::format("Where devices connect; port 0 takes a free one (default: {})", server.listen))
      ->type_name("HOST:PORT");
  app.add_option(
         "-c,--ctx-size", flags.cells,
         fmt::format("Tokens that the cache holds for all sessions (default: {})", kDefaultCells))
      ->type_name("N")
      ->check(in_range(2, 1ULL << 30U));
  app.add_option("--session-ctx", flags.session_context,
                 "Tokens of one session's text (default: the model's context)")
      ->type_name("N")
      ->check(in_range(2, 1ULL << 30U));
  app.add_option("-t,--threads", flags.threads,
                 "Threads of the target (default: all cores; 1 for a model below 64 MiB)")
      ->type_name("N")
      ->check(in_range(1, 512));
  app.add_option("--gpu-layers", flags.gpu_layers,
                 "Layers of the target on a GPU (-ngl; default: all that fit)")
      ->type_name("N");
  app.add_option("-b,--batch-size", flags.batch_tokens,
                 fmt::format("Tokens of one pass (default: {})", flags.batch_tokens))
      ->type_name("N")
      ->check(in_range(proto::kMaxDraft + 1, 65536));
  app.add_option("--prefill-chunk", scheduler.prefill_chunk,
                 fmt::format("Prompt tokens read between two verifications (default: {})",
                             scheduler.prefill_chunk))
      ->type_name("N")
      ->check(in_range(1, 65536));
  app.add_option("--keep-tokens", scheduler.kept_tokens,
                 fmt::format("Tokens of texts whose sessions are gone that stay in the cache "
                             "(default: {})",
                             scheduler.kept_tokens))
      ->type_name("N")
      ->check(in_range(0, 1ULL << 30U));
  app.add_option("--max-sessions", scheduler.admission.sessions,
                 fmt::format("Sessions at a time (default: {})", scheduler.admission.sessions))
      ->type_name("N")
      ->check(in_range(1, engine::kMaxSequences - 1));
  app.add_option("--max-sessions-per-client", scheduler.admission.sessions_per_client,
                 "Of one client at a time (default: half of --max-sessions)")
      ->type_name("N")
      ->check(in_range(1, engine::kMaxSequences - 1));
  app.add_option("--lease", flags.lease_s,
                 fmt::format("Keep a session so long after its connection is lost (default: {:g})",
                             flags.lease_s))
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, 86400.0, "SECONDS"));
  app.add_option(
         "--idle", flags.idle_s,
         fmt::format("End a stream on which so long nothing is sent (default: {:g})", flags.idle_s))
      ->type_name("SECONDS")
      ->check(CLI::Range(0.1, 86400.0));
  app.add_option("--drain-timeout", flags.drain_s,
                 fmt::format("After SIGTERM, wait so long for rounds to end (default: {:g})",
                             flags.drain_s))
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, 86400.0, "SECONDS"));
  auto* pass =
      app.add_option("--pace-pass", flags.pace_pass_s,
                     "Emulate a slower target: no pass of one token takes less (default: off)")
          ->type_name("SECONDS")
          ->check(CLI::Range(0.0, 60.0, "SECONDS"));
  app.add_option("--pace-token", flags.pace_token_s,
                 "What each further token adds to such a pass (default: 0)")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, 10.0, "SECONDS"))
      ->needs(pass);
  app.add_option("--tls-cert", server.tls_cert, "Certificate chain of this server, PEM")
      ->type_name("FILE");
  app.add_option("--tls-key", server.tls_key, "Its private key, PEM")->type_name("FILE");
  app.add_option("--client-ca", server.client_ca,
                 "Devices must show a certificate signed by one of these, PEM")
      ->type_name("FILE");
  app.add_option("--token-file", server.token_file,
                 "Devices must show a token of this file: lines NAME TOKEN [EXPIRES]; read again "
                 "when it changes")
      ->type_name("FILE");
  app.add_flag("--insecure", server.insecure, "Serve other machines without TLS");
  app.add_option("--metrics-listen", server.metrics_listen,
                 "Serve GET /metrics (Prometheus) here, without TLS (default: nowhere)")
      ->type_name("HOST:PORT");
  app.add_flag("-v,--verbose", flags.verbose, "Log more, and what llama.cpp logs");
}

// In the order in which they must be destroyed.
struct Served {
  std::unique_ptr<engine::Backend> backend;
  std::unique_ptr<engine::LanguageModel> model;
  std::unique_ptr<engine::Context> context;
};

// `log` gets what this program says, `llama_log` what llama.cpp says.
Result<Served> load(const EdgeFlags& flags, Log& log, Log& llama_log) {
  std::string path = flags.model;
  if (path.empty()) {
    const auto bundled = find_bundled_models();
    if (!bundled) {
      return fail(bundled.error());
    }
    path = bundled->target;
  }
  Served served;
  auto backend = engine::Backend::create(llama_log);
  if (!backend) {
    return fail(backend.error());
  }
  served.backend = std::move(*backend);
  log.info(fmt::format("event=load model={}", path));
  auto model = engine::LanguageModel::load(
      *served.backend, path,
      {.gpu_layers = flags.gpu_layers, .progress = [](float) { return !interrupted(); }});
  if (!model) {
    return fail(model.error());
  }
  served.model = std::move(*model);
  const engine::ModelInfo& info = served.model->info();
  // Twice as many sequences as sessions, so that texts of sessions that are gone can stay.
  const std::uint32_t sequences =
      std::min(engine::kMaxSequences, 2 * flags.server.scheduler.admission.sessions);
  const auto useful = std::uint64_t{info.context_length} * sequences;
  const std::uint32_t cells =
      flags.cells > 0 ? flags.cells
                      : static_cast<std::uint32_t>(std::min<std::uint64_t>(kDefaultCells, useful));
  auto context = engine::Context::create(
      *served.model, {.tokens = cells,
                      .sequences = sequences,
                      .batch_tokens = flags.batch_tokens,
                      .max_rows = std::min(flags.batch_tokens, kMaxRows),
                      .threads = flags.threads > 0 ? flags.threads : engine::default_threads(info),
                      .pool = {}});
  if (!context) {
    return fail(context.error());
  }
  served.context = std::move(*context);
  return served;
}

void wait_for_signal() {
  while (!interrupted()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

// The second signal ends the process at once.
void drain(edge::EdgeServer& server, const Clock& clock, Seconds patience) {
  server.drain();
  const Seconds until = clock.now() + patience;
  while (!server.drained() && clock.now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

Result<void> serve(EdgeFlags& flags) {
  if (auto ok = edge::check(flags.server); !ok) {
    return ok;
  }
  const auto log = make_stderr_log(flags.verbose ? LogLevel::kDebug : LogLevel::kInfo);
  const auto llama_log = make_stderr_log(flags.verbose ? LogLevel::kDebug : LogLevel::kOff);
  const SteadyClock clock;
  const auto served = load(flags, *log, *llama_log);
  if (!served) {
    return fail(served.error());
  }
  auto model = edge::ServedModel::of(*served->model);
  if (!model) {
    return fail(model.error());
  }
  edge::ServerOptions& options = flags.server;
  options.version = report::version();
  const std::uint32_t trained = served->model->info().context_length;
  options.scheduler.context_tokens =
      flags.session_context > 0 ? std::min(flags.session_context, trained) : trained;
  options.scheduler.lease = Seconds(flags.lease_s);
  options.scheduler.idle = Seconds(flags.idle_s);

  edge::ContextTarget context(*served->context);
  const edge::PassPace pace{Seconds(flags.pace_pass_s), Seconds(flags.pace_token_s)};
  edge::PacedTarget target(context, pace, clock);
  if (flags.pace_pass_s > 0.0) {
    log->info(
        fmt::format("event=paced pass_s={:g} token_s={:g}", flags.pace_pass_s, flags.pace_token_s));
  }
  auto server = edge::EdgeServer::start(target, std::move(*model), options, clock, *log);
  if (!server) {
    return fail(server.error());
  }
  Output out(STDOUT_FILENO);
  out.write(fmt::format("gelato edge: listening on {}:{}\n",
                        options.listen.substr(0, options.listen.rfind(':')), (*server)->port()));
  if ((*server)->metrics_port() != 0) {
    out.write(fmt::format("gelato edge: metrics on http://{}:{}/metrics\n",
                          options.metrics_listen.substr(0, options.metrics_listen.rfind(':')),
                          (*server)->metrics_port()));
  }
  wait_for_signal();
  drain(**server, clock, Seconds(flags.drain_s));
  server->reset();
  log->info("event=stopped");
  return {};
}

}  // namespace

int edge_command(const std::vector<std::string>& arguments) {
  EdgeFlags flags;
  CLI::App app("Verify the drafts of many devices with one target model, until SIGTERM.",
               "gelato edge");
  set_up(app);
  add_options(app, flags);
  app.footer(
      "Without --token-file and --client-ca every device that can connect is served.\n"
      "\nExample:\n  gelato edge -m qwen2.5-7b-instruct-q8_0.gguf --listen 0.0.0.0:8470 \\\n"
      "    --tls-cert edge.crt --tls-key edge.key --token-file tokens --metrics-listen "
      "127.0.0.1:9470\n");
  int exit_code = kSuccess;
  if (!parse(app, arguments, exit_code)) {
    return exit_code;
  }
  const auto ok = serve(flags);
  return ok ? kSuccess : print_error(ok.error());
}

}  // namespace gelato::cli
