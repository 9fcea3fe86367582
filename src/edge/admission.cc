#include "gelato/edge/admission.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

namespace gelato::edge {
namespace {

// A generation lasts seconds, so a place may be free after about one.
constexpr Seconds kTryAgain = Seconds(1.0);

}  // namespace

Admission::Admission(const AdmissionLimits& limits, std::uint32_t cells)
    : limits_(limits),
      most_tokens_(static_cast<std::uint64_t>(std::max(1.0, limits.overcommit) * cells)) {
  if (limits_.sessions_per_client == 0) {
    limits_.sessions_per_client = std::max(1U, limits_.sessions / 2);
  }
}

proto::WireResult<> Admission::enter(const std::string& client, std::uint64_t held,
                                     std::uint64_t tokens) {
  if (closed_) {
    return proto::refuse(proto::ErrorKind::kDraining, "this edge is shutting down; try another one",
                         kTryAgain);
  }
  if (sessions_ >= limits_.sessions) {
    return proto::refuse(
        proto::ErrorKind::kBusy,
        fmt::format("all {} sessions of this edge are taken; try again later", limits_.sessions),
        kTryAgain);
  }
  const auto mine = per_client_.find(client);
  if (mine != per_client_.end() && mine->second >= limits_.sessions_per_client) {
    return proto::refuse(proto::ErrorKind::kBusy,
                         fmt::format("this client has {} sessions open, and no client may have "
                                     "more; close one or try again later",
                                     mine->second),
                         kTryAgain);
  }
  if (held > 0 && held + tokens > most_tokens_) {
    return proto::refuse(proto::ErrorKind::kBusy,
                         fmt::format("the open sessions hold {} tokens, and with {} more this edge "
                                     "would not keep up; try again later",
                                     held, tokens),
                         kTryAgain);
  }
  ++sessions_;
  ++per_client_[client];
  return {};
}

void Admission::leave(const std::string& client) {
  const auto mine = per_client_.find(client);
  assert(mine != per_client_.end() && sessions_ > 0);
  --sessions_;
  if (--mine->second == 0) {
    per_client_.erase(mine);
  }
}

}  // namespace gelato::edge
