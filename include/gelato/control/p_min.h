// p-min:P,N — llama.cpp's rule (common/speculative.cpp, --draft-p-min and --draft-max): a row whose
// top-1 probability is below P ends the draft, and its token is not taken; at most N tokens.
#pragma once

#include <array>
#include <memory>
#include <span>

#include "gelato/control/policy.h"
#include "gelato/control/policy_kind.h"

namespace gelato::control {

// The defaults are llama.cpp's of 2025. Since ggml-org/llama.cpp#23269 (May 2026) they are 0 and 3,
// made for heads that draft only a few tokens.
inline constexpr std::array kPMinParameters{
    Parameter{.name = "p",
              .meaning = "least top-1 probability",
              .fallback = 0.75,
              .min = 0.0,
              .max = 1.0,
              .above_min = true},
    length_parameter(16),
};

std::unique_ptr<Policy> make_p_min(std::span<const double> values);

inline constexpr PolicyKind kPMin{.name = "p-min",
                                  .parameters = kPMinParameters,
                                  .summary =
                                      "llama.cpp's rule: the draft ends before a row whose "
                                      "top-1 probability is below p",
                                  .create = make_p_min};

}  // namespace gelato::control
