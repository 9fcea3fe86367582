#include "gelato/edge_probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <map>

#include "gelato/cli.h"
#include "gelato/device/link_relay.h"
#include "gelato/device/remote_verifier.h"
#include "gelato/measured_transport.h"
#include "gelato/report/summary.h"

namespace gelato::cli {
namespace {

constexpr Seconds kContact{10.0};
constexpr std::array<std::uint32_t, 7> kLengths = {0, 1, 2, 4, 8, 16, kLongestProbe};
// Between two requests, as a device drafts between them: programs that have slept take longer to
// answer than those that are busy.
constexpr Seconds kPause{0.05};
// Of every length: a median that one slow pass does not move.
constexpr std::uint32_t kTurns = 5;

// One session at the edge, through a relay that counts bytes and emulates nothing.
class Probe {
 public:
  Probe(const Clock& clock, Log& log) : clock_(&clock), log_(&log) {}

  Result<void> connect(device::EdgeAddress edge, const engine::LanguageModel& draft) {
    auto relay = device::LinkRelay::start({.edge = edge.endpoint, .link = std::nullopt}, *clock_);
    if (!relay) {
      return fail(relay.error());
    }
    relay_ = std::move(*relay);
    edge.authority = std::exchange(edge.endpoint, relay_->endpoint());
    auto transport = device::GrpcTransport::create(edge, interrupted);
    if (!transport) {
      return fail(transport.error());
    }
    transport_ = std::move(*transport);
    const auto info = transport_->info(kContact);
    if (!info) {
      return fail(info.error().code,
                  fmt::format("edge {}: {}", edge.authority, info.error().message));
    }
    const spec::Token common = std::min(draft.info().vocabulary_size, info->model.n_vocab);
    measured_ = std::make_unique<MeasuredTransport>(*transport_, *clock_);
    verifier_ = std::make_unique<device::RemoteVerifier>(
        *measured_, *clock_, *log_, Rng(0, "reconnect"),
        device::EdgeTerms{.model_fingerprint = info->model.fingerprint,
                          .n_vocab = info->model.n_vocab,
                          .common_vocab = common,
                          .vocabulary_fingerprint = spec::fingerprint(draft.vocabulary(), common),
                          .mode = proto::WireMode::kIds,
                          .sampling = {},
                          .rows = {}},
        device::RemoteOptions{.name = edge.authority, .reconnect = {}, .interrupted = interrupted});
    return {};
  }

  Result<void> start(std::span<const spec::Token> prompt) {
    auto ok = verifier_->start(prompt);
    spec::Draft nothing;  // its verdict comes when the prompt was read
    const auto opened = ok ? verifier_->verify(nothing) : fail(ok.error());
    return opened ? Result<void>{} : fail(opened.error());
  }

  Result<AnsweredDraft> verify(std::uint32_t length, spec::Token token) {
    spec::Draft draft;
    for (std::uint32_t i = 0; i < length; ++i) {
      draft.push(token);
    }
    transport_->pause(kPause);
    if (const auto verdict = verifier_->verify(draft); !verdict) {
      return fail(verdict.error());
    }
    return measured_->answers().back();
  }

  Result<std::uint32_t> write(std::uint32_t count) {
    return verifier_->write(count, [](std::span<const spec::Token>) { return true; });
  }

  // Bytes so far.
  struct Sent {
    device::WireBytes wire;
    device::Traffic messages;
  };
  [[nodiscard]] Sent sent() const { return {relay_->wire(), transport_->traffic()}; }
  void close() { verifier_->close(); }

 private:
  const Clock* clock_;
  Log* log_;
  std::unique_ptr<device::LinkRelay> relay_;
  std::unique_ptr<device::GrpcTransport> transport_;
  std::unique_ptr<MeasuredTransport> measured_;
  std::unique_ptr<device::RemoteVerifier> verifier_;
};

// T(1), T(2), ... from medians at some lengths: straight lines between them, never falling.
sim::EdgeCurve curve_of(const std::map<std::uint32_t, std::vector<double>>& passes) {
  sim::EdgeCurve curve;
  curve.pass.clear();
  double least = 0.0;
  for (const auto& [length, times] : passes) {
    const double at = std::max(least, report::Summary(times).median());
    const auto from = static_cast<double>(curve.pass.size());  // the next point's length
    const double steps = static_cast<double>(length) + 1.0 - from;
    for (double i = 1.0; i <= steps; ++i) {
      curve.pass.emplace_back(curve.pass.empty() ? at : least + (at - least) * i / steps);
    }
    least = at;
  }
  return curve;
}

// What HTTP/2 (RFC 9113, section 4.1) and gRPC put before each message.
constexpr double kFraming = 9.0 + 5.0;

// Of so many requests, with `ids` bytes of drafted tokens in all, and answers.
MessageSizes sizes_of(const Probe::Sent& before, const Probe::Sent& after, double requests,
                      double answers, double ids) {
  const auto difference = [](std::uint64_t a, std::uint64_t b) {
    return static_cast<double>(b - a);
  };
  const double up =
      difference(before.messages.up_bytes, after.messages.up_bytes) + requests * kFraming;
  const double down =
      difference(before.messages.down_bytes, after.messages.down_bytes) + answers * kFraming;
  const auto rest = [](double all, double known) { return std::max(0.0, all - known); };
  return {.up = (up - ids) / requests,
          .down = down / answers,
          .up_ack = rest(difference(before.wire.up, after.wire.up), up) / answers,
          .down_ack = rest(difference(before.wire.down, after.wire.down), down) / requests};
}

// Drafts of every length, in turns.
Result<void> time_drafts(Probe& probe, std::span<const spec::Token> prompt, unsigned id_bits,
                         EdgeProbe& out) {
  std::map<std::uint32_t, std::vector<double>> passes;
  std::vector<double> stack;
  double ids = 0.0;
  const Probe::Sent before = probe.sent();
  for (std::uint32_t turn = 0; turn < kTurns; ++turn) {
    for (const std::uint32_t length : kLengths) {
      const auto answer = probe.verify(length, prompt.back());
      if (!answer) {
        return fail(answer.error());
      }
      passes[length].push_back(answer->pass.value());
      stack.push_back((answer->waited - answer->queued - answer->pass).value());
      ids += std::ceil(length * id_bits / 8.0);
    }
  }
  constexpr double kRounds = double{kTurns} * kLengths.size();
  out.curve = curve_of(passes);
  out.stack = Seconds(report::Summary(stack).median());
  out.drafts = sizes_of(before, probe.sent(), kRounds, kRounds, ids);
  return {};
}

}  // namespace

Result<EdgeProbe> probe_edge(const device::EdgeAddress& edge, const engine::LanguageModel& draft,
                             std::span<const spec::Token> prompt, const Clock& clock, Log& log) {
  Probe probe(clock, log);
  if (auto ok = probe.connect(edge, draft); !ok) {
    return fail(ok.error());
  }
  if (auto ok = probe.start(prompt); !ok) {
    return fail(ok.error());
  }
  const unsigned id_bits =
      std::bit_width(static_cast<std::uint32_t>(draft.info().vocabulary_size) - 1U);
  EdgeProbe out;
  if (auto ok = time_drafts(probe, prompt, id_bits, out); !ok) {
    return fail(ok.error());
  }
  const Probe::Sent before = probe.sent();
  const auto written = probe.write(kLongestProbe);
  if (!written) {
    return fail(written.error());
  }
  out.writes =
      sizes_of(before, probe.sent(), 1.0, std::max(1.0, static_cast<double>(*written)), 0.0);
  probe.close();
  return out;
}

}  // namespace gelato::cli
