// A target at the other end of a link, as the round loop sees it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "gelato/base/result.h"
#include "gelato/control/policy.h"
#include "gelato/spec/decoding.h"

namespace gelato::device {

// What the target decided about one chunk of a draft.
struct ChunkVerdict {
  std::uint32_t accepted = 0;
  // The target's token after them: the correction, or the bonus of the last chunk. None if the
  // whole chunk stands and another one follows.
  std::optional<spec::Token> next;
  friend bool operator==(const ChunkVerdict&, const ChunkVerdict&) = default;
};

// What has become of the chunks in flight.
struct ChunkAnswer {
  enum class State : std::uint8_t {
    kNone,     // no answer yet
    kVerdict,  // on the oldest one
    kLost,     // the link broke: no chunk in flight will be answered, and none counts as sent
  };
  State state = State::kNone;
  ChunkVerdict verdict;
};

class RemoteTarget : public spec::Verifier {
 public:
  // Receives tokens that the target wrote, as they come. False: no more are wanted.
  using Show = std::function<bool(std::span<const spec::Token>)>;

  // The target writes up to `count` tokens by itself and commits them; fewer at the end of its
  // text, of its context, or when `show` says so. Returns how many were shown.
  // Errors: as verify(); what was shown before is committed.
  virtual Result<std::uint32_t> write(std::uint32_t count, const Show& show) = 0;

  // Pipelining. Chunks that may be without an answer at once, at least 1; and how many are, those
  // included that a rejection has made void and whose answers are still to come.
  [[nodiscard]] virtual std::uint32_t max_in_flight() const { return 1; }
  [[nodiscard]] virtual std::uint32_t in_flight() const { return 0; }
  // Sends a chunk that continues the committed text and the chunks in flight, and returns. After
  // the last one the target adds a token of its own. Preconditions: in_flight() < max_in_flight();
  // a chunk that is not the last has a token; after a rejection or a last chunk none is sent before
  // its verdict was received.
  // Errors: as verify(); kUnsupported if max_in_flight() is 1.
  virtual Result<void> send(const spec::Draft& chunk, bool last);
  // The answer to the oldest chunk, which commits what it says; `wait`: until there is one.
  // Errors: as verify(), where trying again would not help.
  virtual Result<ChunkAnswer> receive(bool wait);

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
