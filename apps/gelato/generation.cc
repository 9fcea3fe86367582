#include "gelato/generation.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>

#include "gelato/cli.h"
#include "gelato/measurement.h"
#include "gelato/report/table.h"

namespace gelato::cli {
namespace {

// What --seed says: -1 draws a seed, as in llama.cpp.
Result<std::uint64_t> read_seed(const std::string& text) {
  std::uint64_t seed = 0;
  if (text == "-1") {
    std::random_device entropy;
    return (static_cast<std::uint64_t>(entropy()) << 32U) | entropy();
  }
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, seed);
  if (error != std::errc() || stopped != end) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("--seed must be a whole number from 0 to {}, or -1 for a new one, "
                            "not \"{:.40}\"",
                            std::numeric_limits<std::uint64_t>::max(), text));
  }
  return seed;
}

}  // namespace

void GenerationFlags::add_to(CLI::App& app) {
  app.add_option("-n,--predict", predict,
                 "Tokens to write; -1: until the text ends or the context is full (default: 256)")
      ->type_name("N")
      ->check(in_range(-1, std::numeric_limits<std::int64_t>::max()));
  app.add_option("-s,--seed", seed, "Seed of all sampling; -1: a new one each time (default: -1)")
      ->type_name("N");
  app.add_option("--temp", sampler.temperature,
                 "Temperature; 0 takes the most probable token (default: 0)")
      ->type_name("T");
  app.add_option("--top-k", sampler.top_k, "Keep the K most probable tokens; 0: all (default: 0)")
      ->type_name("K")
      ->check(in_range(0, std::numeric_limits<std::uint32_t>::max()));
  app.add_option("--top-p", sampler.top_p,
                 "Keep the most probable tokens that hold P of the mass (default: 1)")
      ->type_name("P");
  app.add_option("--min-p", sampler.min_p,
                 "Keep tokens at least P times as probable as the first (default: 0)")
      ->type_name("P");
}

Result<device::GenerateOptions> GenerationFlags::options() const {
  if (auto ok = engine::check(sampler); !ok) {
    return fail(ok.error());
  }
  if (predict == 0) {
    return fail(ErrorCode::kInvalidArgument,
                "--predict must be at least 1, or -1 to write until the text ends");
  }
  const auto number = read_seed(seed);
  if (!number) {
    return fail(number.error());
  }
  return device::GenerateOptions{
      .sampler = sampler,
      .seed = *number,
      .max_tokens = predict < 0 ? 0 : static_cast<std::uint64_t>(predict)};
}

Result<std::string> read_prompt_file(const std::string& path) {
  auto text = read_input(path, engine::kMaxTextBytes);
  if (text && text->ends_with('\n')) {
    text->pop_back();
  }
  return text;
}

nlohmann::json to_json(const device::GenerationStats& stats, Seconds decode_time) {
  const spec::AcceptanceStats& a = stats.acceptance;
  const Measurement cost = measurement_of(stats, decode_time);
  auto survival = nlohmann::json::array();
  for (std::size_t depth = 0; depth < spec::AcceptanceStats::kMaxDepth && a.drafted_at(depth) > 0;
       ++depth) {
    survival.push_back(a.survival(depth));
  }
  return {
      {"prompt_tokens", stats.prompt_tokens},
      {"tokens", stats.tokens},
      {"tokens_per_s", cost.tokens_per_s()},
      {"decode_tokens_per_s", cost.decode_tokens_per_s()},
      {"ttft_s", stats.first_token.value()},
      {"itl_p50_s", stats.gap_p50.value()},
      {"itl_p95_s", stats.gap_p95.value()},
      {"total_s", stats.total.value()},
      {"prefill_s", stats.prefill.value()},
      {"draft_s", stats.drafting.value()},
      {"verify_s", stats.verifying.value()},
      {"outside_decode_fraction", cost.outside_decode()},
      {"rounds", a.rounds()},
      {"drafted", a.drafted()},
      {"accepted", a.accepted()},
      {"acceptance_rate", cost.acceptance_rate()},
      {"mean_accepted", a.mean_accepted()},
      {"mean_committed", cost.mean_committed()},
      {"survival", survival},
      {"stop", device::to_string(stats.stop)},
      {"stop_reasons",
       {{"limit", stats.draft_stops.limit},
        {"price", stats.draft_stops.price},
        {"budget", stats.draft_stops.budget},
        {"entropy", stats.draft_stops.entropy},
        {"policy", stats.draft_stops.policy},
        {"verdict", stats.draft_stops.verdict},
        {"drafter", stats.draft_stops.drafter},
        {"eog", stats.draft_stops.eog}}},
      // One process: nothing travels, and the only edge is this machine.
      {"uplink_bytes", 0},
      {"downlink_bytes", 0},
      {"edge_passes", a.rounds()},
      {"edge_busy_s", stats.verifying.value()},
  };
}

std::string summary_line(const device::GenerationStats& stats) {
  const Measurement cost = measurement_of(stats, Seconds());
  std::string line = fmt::format("{} tokens in {:.2f} s, {} tok/s", stats.tokens,
                                 stats.total.value(), report::number(cost.tokens_per_s(), 0));
  if (stats.unverified == stats.tokens && stats.tokens > 0) {
    return line + "; written by the draft model alone, not the target's text";
  }
  if (cost.drafted == 0) {
    return line + "; target alone";
  }
  return line + fmt::format(
                    "; {:.1f} % of {} drafted accepted, {:.2f} committed per round, "
                    "{:.1f} % of target passes saved",
                    100.0 * cost.acceptance_rate(), cost.drafted, cost.mean_committed(),
                    100.0 * std::max(0.0, 1.0 - cost.passes_per_token()));
}

}  // namespace gelato::cli
