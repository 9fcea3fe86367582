// From the target's logits to the decision on a draft, in each wire mode.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "gelato/base/rng.h"
#include "gelato/edge/target.h"
#include "gelato/engine/sampler.h"
#include "gelato/proto/messages.h"

namespace gelato::edge {

// What the decisions of a session follow from, besides the target.
struct Law {
  proto::WireMode mode = proto::WireMode::kIds;
  engine::SamplerParams sampler;
  std::uint64_t seed = 0;
};

// `accepted` draft tokens stand. Then comes `next`; or, in mode kDssd after a rejection, a token
// that the device draws from `row` (proto::encode_row); or nothing, if none was asked for.
struct Decision {
  std::uint32_t accepted = 0;
  std::optional<spec::Token> next;
  std::vector<std::uint8_t> row;
};

// Rows of logits that the decision on `draft` looks at: one per drafted token, one for the bonus.
std::uint32_t rows_needed(const proto::Draft& draft);

// Decides as spec::verify_greedy() and spec::verify_sampling() do, but computes a row only when its
// turn comes, so a rejected draft costs the rows up to the rejection, and one row is held at a
// time. Uniforms: docs/protocol.md. One thread; serves all sessions.
class Decider {
 public:
  // `base`: tokens of text before the draft. Row i of append number `append` of the target's last
  // decode() is the one after i drafted tokens; there are rows_needed(draft) of them.
  // Errors: those of Target::logits() and Sampler::distribution().
  Result<Decision> decide(const Law& law, const proto::Draft& draft, std::uint32_t base,
                          Target& target, std::size_t append);

 private:
  Result<Decision> greedy(const proto::Draft& draft, Target& target, std::size_t append);
  Result<Decision> sampling(const Law& law, const proto::Draft& draft, Rng& rng, Target& target,
                            std::size_t append);

  engine::Sampler sampler_{engine::SamplerParams{}};
  spec::SparseDist row_;
};

}  // namespace gelato::edge
