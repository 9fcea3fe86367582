#include "gelato/peer.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <filesystem>
#include <optional>
#include <utility>

#include "gelato/child_process.h"
#include "gelato/cli.h"
#include "gelato/subprocess.h"

namespace gelato::cli {
namespace {

// Far more than any run that one would repeat five times takes; it is there so that a program that
// hangs does not hang us.
constexpr Seconds kDeadline(600.0);

// The number after the last `key` and spaces.
std::optional<double> number_after(std::string_view text, std::string_view key) {
  const std::size_t at = text.rfind(key);
  if (at == std::string_view::npos) {
    return std::nullopt;
  }
  text.remove_prefix(at + key.size());
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  double value = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && std::isfinite(value) && value >= 0.0 ? std::optional(value)
                                                                      : std::nullopt;
}

// Of the last line "encoded   19 tokens in    0.010 seconds, speed: 1932.065 t/s": the seconds are
// rounded to milliseconds, tokens / speed are not.
struct Phase {
  double tokens;
  Seconds time;
};
std::optional<Phase> phase(std::string_view log, std::string_view verb) {
  const std::size_t at = log.rfind(verb);
  if (at == std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view line = log.substr(at, log.find('\n', at) - at);
  const auto tokens = number_after(line, verb);
  const auto speed = number_after(line, "speed:");
  if (!tokens || !speed || *speed == 0.0) {
    return std::nullopt;
  }
  return Phase{*tokens, Seconds(*tokens / *speed)};
}

}  // namespace

std::string find_peer() { return find_upwards("build/peers/llama-speculative-simple"); }

Result<Measurement> read_peer_log(std::string_view log) {
  const auto missing = [](std::string_view what) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("llama-speculative-simple printed no usable line \"{}\"", what));
  };
  const auto encoded = phase(log, "encoded ");
  const auto decoded = phase(log, "decoded ");
  const auto drafted = number_after(log, "n_drafted =");
  const auto accepted = number_after(log, "n_accept  =");
  if (!encoded || !decoded) {
    return missing(encoded ? "decoded" : "encoded");
  }
  if (!drafted || !accepted || *accepted > *drafted || *accepted > decoded->tokens) {
    return missing(drafted ? "n_accept" : "n_drafted");
  }
  return Measurement{.tokens = static_cast<std::uint64_t>(decoded->tokens),
                     .rounds = static_cast<std::uint64_t>(decoded->tokens - *accepted),
                     .drafted = static_cast<std::uint64_t>(*drafted),
                     .accepted = static_cast<std::uint64_t>(*accepted),
                     .total = encoded->time + decoded->time,
                     .prefill = encoded->time,
                     .drafting = {},
                     .verifying = {},
                     .decode = {}};
}

PeerContender::PeerContender(PeerOptions options, const Clock& clock)
    : options_(std::move(options)), clock_(&clock) {}

std::string PeerContender::label() const {
  return fmt::format("llama.cpp, draft {}", options_.gamma);
}

std::vector<std::string> PeerContender::command(const std::string& prompt) const {
  const auto text = [](auto number) { return std::to_string(number); };
  std::vector<std::string> out = {options_.program,
                                  "-m",
                                  options_.models.target,
                                  "-md",
                                  options_.models.draft,
                                  "-c",
                                  text(options_.context_tokens),
                                  "-t",
                                  text(options_.target_threads),
                                  "-td",
                                  text(options_.draft_threads),
                                  "-n",
                                  text(options_.max_tokens),
                                  "--spec-type",
                                  "draft-simple",
                                  "--spec-draft-n-max",
                                  text(options_.gamma),
                                  "--spec-draft-n-min",
                                  "0",
                                  "--spec-draft-p-min",
                                  "0",
                                  "--temp",
                                  "0",
                                  "--no-escape",
                                  "-p",
                                  prompt};
  if (options_.models.target_gpu_layers >= 0) {
    out.insert(out.end(), {"-ngl", text(options_.models.target_gpu_layers)});
  }
  if (options_.models.draft_gpu_layers >= 0) {
    out.insert(out.end(), {"-ngld", text(options_.models.draft_gpu_layers)});
  }
  return out;
}

Result<Generation> PeerContender::generate_once(const std::string& prompt) const {
  const ProcessLimits limits{.deadline = kDeadline, .cancelled = interrupted};
  const auto process = run_process(command(prompt), *clock_, limits);
  if (!process) {
    return fail(process.error());
  }
  if (process->exit_code != 0) {
    return fail(ErrorCode::kInternal,
                fmt::format("{} failed ({} {}): {}", options_.program,
                            process->signal != 0 ? "signal" : "exit code",
                            process->signal != 0 ? process->signal : process->exit_code,
                            last_line(process->err)));
  }
  const auto cost = read_peer_log(process->err);
  if (!cost) {
    return fail(cost.error());
  }
  return Generation{.cost = *cost, .text = process->out, .tokens = {}};
}

Result<Generation> PeerContender::generate(const std::string& prompt) {
  // A thread of the program writes its log, and it exits without waiting for that thread: on a busy
  // machine the last lines are missing in one run out of thirty. Ten in a row are no accident.
  constexpr int kAttempts = 10;
  auto generation = generate_once(prompt);
  for (int i = 1; i < kAttempts && !generation && generation.error().code == ErrorCode::kCorrupt;
       ++i) {
    generation = generate_once(prompt);
  }
  return generation;
}

}  // namespace gelato::cli
