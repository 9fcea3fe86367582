// A target at the other end of a link, as the round loop sees it.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "gelato/control/policy.h"
#include "gelato/spec/decoding.h"

namespace gelato::device {

class RemoteTarget : public spec::Verifier {
 public:
  // Receives tokens that the target wrote, as they come. False: no more are wanted.
  using Show = std::function<bool(std::span<const spec::Token>)>;

  // The target writes up to `count` tokens by itself and commits them; fewer at the end of its
  // text, of its context, or when `show` says so. Returns how many were shown.
  // Errors: as verify(); what was shown before is committed.
  virtual Result<std::uint32_t> write(std::uint32_t count, const Show& show) = 0;

  // After a failed verify() or write(): whether the target is only out of reach for now, so that
  // the device may go on by itself.
  [[nodiscard]] virtual bool away() const = 0;
  // Whether verify() is worth calling. While away() it works on getting the target back, without
  // waiting for anything.
  virtual bool reachable() = 0;
  // Commits tokens that the device wrote by itself. The target goes on after them.
  virtual void append(std::span<const spec::Token> tokens) = 0;

  // Fills in what the link and the target's passes cost, as far as is known.
  virtual void estimate(control::CostEstimate& cost) const = 0;
};

}  // namespace gelato::device
