#include "gelato/generation.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <random>

namespace gelato::cli {
namespace {

double ratio(double numerator, double denominator) {
  return denominator > 0.0 ? numerator / denominator : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

void GenerationFlags::add_to(CLI::App& app) {
  app.add_option("-n,--predict", predict,
                 "Tokens to write; -1: until the text ends or the context is full (default: 256)");
  app.add_option("-s,--seed", seed, "Seed of all sampling (default: a new one each time)");
  app.add_option("--temp", sampler.temperature,
                 "Temperature; 0 takes the most probable token (default: 0)");
  app.add_option("--top-k", sampler.top_k, "Keep the K most probable tokens; 0: all (default: 0)");
  app.add_option("--top-p", sampler.top_p,
                 "Keep the most probable tokens that hold P of the mass (default: 1)");
  app.add_option("--min-p", sampler.min_p,
                 "Keep tokens at least P times as probable as the first (default: 0)");
}

Result<device::GenerateOptions> GenerationFlags::options() const {
  if (auto ok = engine::check(sampler); !ok) {
    return fail(ok.error());
  }
  if (predict == 0 || predict < -1) {
    return fail(ErrorCode::kInvalidArgument,
                "--predict must be at least 1, or -1 to write until the text ends");
  }
  std::random_device entropy;
  return device::GenerateOptions{
      .sampler = sampler,
      .seed = seed.value_or((static_cast<std::uint64_t>(entropy()) << 32U) | entropy()),
      .max_tokens = predict < 0 ? 0 : static_cast<std::uint64_t>(predict)};
}

double tokens_per_second(const device::GenerationStats& stats) {
  return ratio(static_cast<double>(stats.tokens), stats.total.value());
}

nlohmann::json to_json(const device::GenerationStats& stats, Seconds decode_time) {
  const spec::AcceptanceStats& a = stats.acceptance;
  const double tokens = static_cast<double>(stats.tokens);
  const double decoding = (stats.total - stats.prefill).value();
  auto survival = nlohmann::json::array();
  for (std::size_t depth = 0; depth < spec::AcceptanceStats::kMaxDepth && a.drafted_at(depth) > 0;
       ++depth) {
    survival.push_back(a.survival(depth));
  }
  const bool drafted = a.drafted() > 0;
  return {
      {"prompt_tokens", stats.prompt_tokens},
      {"tokens", stats.tokens},
      {"tokens_per_s", tokens_per_second(stats)},
      {"decode_tokens_per_s", ratio(tokens, decoding)},
      {"ttft_s", stats.first_token.value()},
      {"itl_p50_s", stats.gap_p50.value()},
      {"itl_p95_s", stats.gap_p95.value()},
      {"total_s", stats.total.value()},
      {"prefill_s", stats.prefill.value()},
      {"draft_s", stats.drafting.value()},
      {"verify_s", stats.verifying.value()},
      {"outside_decode_fraction", 1.0 - ratio(decode_time.value(), stats.total.value())},
      {"rounds", a.rounds()},
      {"drafted", a.drafted()},
      {"accepted", a.accepted()},
      {"acceptance_rate", drafted ? nlohmann::json(a.acceptance_rate()) : nlohmann::json()},
      {"mean_accepted", a.mean_accepted()},
      {"mean_committed", ratio(tokens, static_cast<double>(a.rounds()))},
      {"survival", survival},
      {"stop", device::to_string(stats.stop)},
      {"stop_reasons",
       {{"bound", stats.draft_stops.bound},
        {"policy", stats.draft_stops.policy},
        {"drafter", stats.draft_stops.drafter},
        {"eog", stats.draft_stops.eog}}},
      // One process: nothing travels, the only edge is this machine, and nothing meters it yet.
      {"uplink_bytes", 0},
      {"downlink_bytes", 0},
      {"edge_passes", a.rounds()},
      {"edge_busy_s", stats.verifying.value()},
      {"energy_j", nullptr},
      {"joules_per_token", nullptr},
      {"energy_source", nullptr},
      {"energy_split_j", nullptr},
  };
}

std::string summary_line(const device::GenerationStats& stats) {
  const spec::AcceptanceStats& a = stats.acceptance;
  std::string line = fmt::format("{} tokens in {:.2f} s, {:.0f} tok/s", stats.tokens,
                                 stats.total.value(), tokens_per_second(stats));
  if (a.drafted() > 0 && stats.tokens > 0) {
    const double saved = 1.0 - static_cast<double>(a.rounds()) / static_cast<double>(stats.tokens);
    line += fmt::format(
        "; {:.1f} % of {} drafted accepted, {:.2f} committed per round, {:.1f} % of target passes "
        "saved",
        100.0 * a.acceptance_rate(), a.drafted(),
        static_cast<double>(stats.tokens) / static_cast<double>(a.rounds()),
        100.0 * std::max(0.0, saved));
  } else {
    line += "; target alone";
  }
  return line;
}

}  // namespace gelato::cli
