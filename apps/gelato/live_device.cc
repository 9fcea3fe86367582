#include "gelato/live_device.h"

#include <utility>

#include "gelato/cli.h"

namespace gelato::cli {
namespace {

class TokenList final : public device::TokenSink {
 public:
  bool on_commit(std::span<const device::CommittedToken> tokens) override {
    for (const device::CommittedToken& token : tokens) {
      list.push_back(token.token);
    }
    return !interrupted();
  }
  std::vector<spec::Token> list;
};

}  // namespace

LiveDevice::LiveDevice(std::unique_ptr<device::RemoteSession> session,
                       const energy::DeviceProfile& profile)
    : session_(std::move(session)), energy_(device::EnergyAccount::modelled(profile)) {
  pacing_.profile = profile;
}

Result<std::unique_ptr<LiveDevice>> LiveDevice::create(const engine::Backend& backend,
                                                       const Clock& clock, Log& log,
                                                       device::RemoteSessionOptions options,
                                                       const energy::DeviceProfile& profile) {
  auto session = device::RemoteSession::open(backend, clock, log, std::move(options));
  if (!session) {
    return fail(session.error());
  }
  return std::unique_ptr<LiveDevice>(new LiveDevice(std::move(*session), profile));
}

Result<LiveText> LiveDevice::write(std::span<const spec::Token> prompt, control::Policy& policy,
                                   std::uint32_t tokens) {
  ObservedPolicy observed(policy);
  TokenList sink;
  const auto stats = session_->generate(
      prompt, {.sampler = {}, .max_tokens = tokens, .energy = &energy_, .pace = &pacing_}, observed,
      sink);
  if (!stats) {
    return fail(stats.error());
  }
  if (interrupted()) {
    return fail(ErrorCode::kCancelled, "interrupted while measuring");
  }
  return LiveText{.rounds = observed.totals(),
                  .tokens = std::move(sink.list),
                  .unverified = stats->unverified,
                  .late = pacing_.late};
}

}  // namespace gelato::cli
