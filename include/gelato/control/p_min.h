// p-min:P,N — llama.cpp's rule (common/speculative.cpp, --draft-p-min and --draft-max): a row whose
// top-1 probability is below P ends the draft, and its token is not taken; at most N tokens.
//
// The defaults 0.75 and 16 are the ones llama.cpp had from December 2024 until May 2026, when
// ggml-org/llama.cpp#23269 set them to 0 and 3 for heads that draft only a few tokens.
#pragma once

#include "gelato/control/policy_kind.h"

namespace gelato::control {

extern const PolicyKind kPMinPolicy;

}  // namespace gelato::control
