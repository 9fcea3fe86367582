// svip — SVIP, Zhang et al., arXiv 2411.18462: the draft ends after the first token whose row has
// sqrt(c H) > h. The paper bounds the acceptance rate from below by 1 - sqrt(KL / 2) (Pinsker) and
// approximates the divergence between draft and target by the draft's entropy H.
//
// From the authors' code: c = 0.15, h = 0.3 (so a stop above 0.6 nats), at most 40 tokens, H in
// nats, the uncertain token itself is sent.
#pragma once

#include <array>
#include <memory>
#include <span>

#include "gelato/control/policy.h"
#include "gelato/control/policy_kind.h"

namespace gelato::control {

inline constexpr std::array kSvipParameters{
    Parameter{.name = "threshold", .meaning = "h: stop above it", .fallback = 0.3, .max = 100.0},
    Parameter{.name = "scale",
              .meaning = "c in sqrt(c * entropy in nats)",
              .fallback = 0.15,
              .max = 100.0},
    length_parameter(40),
};

std::unique_ptr<Policy> make_svip(std::span<const double> values);

inline constexpr PolicyKind kSvip{.name = "svip",
                                  .parameters = kSvipParameters,
                                  .summary = "stops when sqrt(scale * entropy) exceeds threshold",
                                  .create = make_svip};

}  // namespace gelato::control
