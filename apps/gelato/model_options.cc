#include "gelato/model_options.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <limits>
#include <system_error>

#include "gelato/cli.h"
#include "gelato/report/progress.h"
#include "gelato/report/terminal.h"

namespace gelato::cli {
namespace {

namespace fs = std::filesystem;

// More threads than this is a typing error, not a machine.
constexpr std::uint32_t kMaxThreads = 512;

// Shows the loading of one model after the other, if it takes a while and somebody watches (in a
// log the line would say nothing that an error does not).
class LoadProgress {
 public:
  explicit LoadProgress(const Clock& clock) : clock_(&clock) {}

  bool operator()(std::string_view path, float fraction) {
    constexpr std::uint64_t kSteps = 100;
    constexpr Seconds kPatience(0.3);  // what passes for at once
    if (path != path_) {
      path_ = path;
      bar_ = nullptr;
      started_ = clock_->now();
    }
    const report::Terminal terminal = report::terminal_of(STDERR_FILENO);
    if (!bar_ && terminal.interactive && clock_->now() - started_ > kPatience) {
      bar_ = std::make_unique<report::Progress>(
          "loading " + fs::path(path_).filename().string(), kSteps, terminal, *clock_,
          [](std::string_view text) { Output(STDERR_FILENO).write(text); });
    }
    if (bar_) {
      bar_->update(static_cast<std::uint64_t>(fraction * kSteps));
    }
    return !interrupted();
  }

 private:
  const Clock* clock_;
  std::string path_;
  Seconds started_;
  std::unique_ptr<report::Progress> bar_;
};

}  // namespace

void ModelFlags::add_to(CLI::App& app) {
  app.add_option("-m,--model", target, "Target model, a GGUF file (default: the bundled pair)")
      ->type_name("FILE");
  app.add_option("--model-draft", draft, "Draft model, a GGUF file (-md); speculates with it")
      ->type_name("FILE");
  app.add_flag("--no-draft", no_draft, "Target alone, also with the bundled models");
  app.add_option("-c,--ctx-size", context_tokens,
                 "Context of the target in tokens (default: the model's, at most 4096)")
      ->type_name("N")
      ->check(in_range(1, 1LL << 30U));
  app.add_option("-t,--threads", target_threads,
                 "Threads of the target (default: all cores; 1 for a model below 64 MiB)")
      ->type_name("N")
      ->check(in_range(1, kMaxThreads));
  app.add_option("--threads-draft", draft_threads, "Threads of the draft (-td; default: --threads)")
      ->type_name("N")
      ->check(in_range(1, kMaxThreads));
  const CLI::Validator layers = in_range(-1, std::numeric_limits<std::int32_t>::max());
  app.add_option("--gpu-layers", target_gpu_layers,
                 "Layers of the target on a GPU (-ngl; default: all that fit)")
      ->type_name("N")
      ->check(layers);
  app.add_option("--gpu-layers-draft", draft_gpu_layers,
                 "Layers of the draft on a GPU (-ngld; default: all that fit)")
      ->type_name("N")
      ->check(layers);
  app.add_flag("-v,--verbose", verbose, "Show what llama.cpp logs");
}

std::string find_upwards(const std::string& below) {
  std::error_code ignored;
  fs::path folder = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  // build/<preset>/bin in a checkout, <prefix>/bin when installed.
  for (int up = 0; up < 5 && !folder.empty(); ++up, folder = folder.parent_path()) {
    if (fs::exists(folder / below, ignored)) {
      return folder / below;
    }
  }
  return {};
}

Result<BundledModels> find_bundled_models() {
  for (const char* below : {"assets/models", "share/gelato/models"}) {
    const std::string folder = find_upwards(below);
    if (!folder.empty()) {
      return BundledModels{.folder = folder,
                           .target = folder + "/gelato-tale-6m-q8_0.gguf",
                           .draft = folder + "/gelato-tale-3m-q8_0.gguf",
                           .small_draft = folder + "/gelato-tale-1m-q8_0.gguf"};
    }
  }
  return fail(ErrorCode::kNotFound,
              "the bundled models are not where this program lies; name a model with --model");
}

Result<std::unique_ptr<Workplace>> Workplace::create(bool verbose) {
  auto workplace = std::make_unique<Workplace>();
  workplace->log_ = make_stderr_log(verbose ? LogLevel::kDebug : LogLevel::kOff);
  auto backend = engine::Backend::create(*workplace->log_);
  if (!backend) {
    return fail(backend.error());
  }
  workplace->backend_ = std::move(*backend);
  return workplace;
}

Result<device::LocalSession*> Workplace::open(const ModelFlags& flags) {
  device::LocalSessionOptions options{.target_path = flags.target,
                                      .draft_path = flags.draft,
                                      .context_tokens = flags.context_tokens,
                                      .target_threads = flags.target_threads,
                                      .draft_threads = flags.draft_threads,
                                      .target_gpu_layers = flags.target_gpu_layers,
                                      .draft_gpu_layers = flags.draft_gpu_layers,
                                      .progress = {}};
  if (flags.no_draft && !flags.draft.empty()) {
    return fail(ErrorCode::kInvalidArgument, "--no-draft and --model-draft exclude each other");
  }
  if (flags.target.empty()) {
    const auto bundled = find_bundled_models();
    if (!bundled) {
      return fail(bundled.error());
    }
    options.target_path = bundled->target;
    if (flags.draft.empty() && !flags.no_draft) {
      options.draft_path = bundled->draft;
    }
  }
  const auto progress = std::make_shared<LoadProgress>(clock_);
  options.progress = [progress](std::string_view path, float fraction) {
    return (*progress)(path, fraction);
  };
  auto session = device::LocalSession::open(*backend_, clock_, options);
  if (!session) {
    return fail(session.error());
  }
  return sessions_.emplace_back(std::move(*session)).get();
}

Result<report::RunManifest> describe_run(
    const std::vector<std::pair<std::string, std::string>>& models, std::uint64_t seed) {
  report::RunManifest manifest{.seed = seed, .machine = report::this_machine(), .models = {}};
  for (const auto& [role, path] : models) {
    auto file = report::describe_model(path);
    if (!file) {
      return fail(file.error());
    }
    manifest.models[role] = std::move(*file);
  }
  return manifest;
}

Result<report::RunManifest> describe_run(const device::LocalSession& session, std::uint64_t seed) {
  std::vector<std::pair<std::string, std::string>> models{{"target", session.target().info().path}};
  if (session.draft() != nullptr) {
    models.emplace_back("draft", session.draft()->info().path);
  }
  return describe_run(models, seed);
}

}  // namespace gelato::cli
